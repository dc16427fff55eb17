import {
  type CreatedKeyBody,
  type KeyBody,
  type KeyListBody,
  newKeySchema,
  rotateKeySchema,
} from '@petals-chat/api'
import { AccessError, type CreatedKey, type KeyRecord, type KeyStore } from '@petals-chat/access'
import { InvalidRequestError } from '@petals-chat/engine'
import { type Context, Hono } from 'hono'
import type { GatewayVariables, RouteModule } from '../../context.ts'
import { FixedWindows } from '../../access/fixed-windows.ts'
import { GatewayError, RateLimitError } from '../../errors.ts'
import { quotaOf } from '../../limits/quota.ts'
import { parseRequest } from '../../generation/request/parse-request.ts'

type KeyContext = Context<{ Variables: GatewayVariables }>

/** New keys and secrets in a minute, for each key of the operator from which makers come. Each one waits for the disk. */
const CHANGES_PER_MINUTE = 60

/** `/v1/keys`: keys that a key with the scope `admin` makes. It sees and changes only those that it made. */
export const keyRoutes: RouteModule = ({ keyCallers, config }) => {
  const app = new Hono<{ Variables: GatewayVariables }>()
  const changes = new FixedWindows(CHANGES_PER_MINUTE)
  /** Runs `work` for the key of the caller, and looks at once which callers its changes concern. */
  const asMaker = <Result>(c: KeyContext, work: (keys: KeyStore, maker: KeyRecord) => Result): Result => {
    const { caller, account } = c.var
    const key = keyCallers?.keyOf(caller)
    if (keyCallers === undefined || key === undefined) throw noMaker()
    // The limits of the config count too: several keys that each have them would have them several times.
    const maker = { ...key, limits: quotaOf(caller, account, config.limits).limits }
    try {
      // Revoking stays possible: it may be urgent, and each key is revoked once.
      if (c.req.method === 'POST') countChange(changes, keyCallers.keys.rootOf(key))
      return work(keyCallers.keys, maker)
    } catch (error) {
      throw error instanceof AccessError ? accessFailure(error) : error
    } finally {
      keyCallers.check()
    }
  }
  return app
    .get('/v1/keys', (c) => c.json(asMaker(c, (keys, maker) => listBody(keys.list(maker)))))
    .post('/v1/keys', async (c) => {
      const { expires_at: expires, ...body } = await parseRequest(c.req, newKeySchema)
      const wanted = {
        ...body,
        models: body.models ?? undefined,
        limits: body.limits ?? undefined,
        expiresAt: expires == null ? undefined : expires * 1000,
      }
      return c.json(asMaker(c, (keys, maker) => createdBody(keys.create(wanted, maker))))
    })
    .post('/v1/keys/:key/rotate', async (c) => {
      const { grace_seconds: seconds } = await parseRequest(c.req, rotateKeySchema)
      const id = c.req.param('key')
      const graceMs = (seconds ?? 0) * 1000
      return c.json(
        asMaker(c, (keys, maker) => createdBody(keys.rotate(keys.find(id, maker).id, { graceMs }))),
      )
    })
    .delete('/v1/keys/:key', (c) =>
      c.json(
        asMaker(c, (keys, maker) => {
          const { id } = keys.find(c.req.param('key'), maker)
          keys.revoke(id)
          return keyBody(keys.find(id, maker))
        }),
      ),
    )
}

const seconds = (ms: number | undefined): number | null => (ms === undefined ? null : Math.floor(ms / 1000))

const keyBody = (key: KeyRecord): KeyBody => ({
  id: key.id,
  object: 'key',
  name: key.name,
  scopes: [...key.scopes],
  models: key.models === undefined ? null : [...key.models],
  limits: key.limits,
  created_at: seconds(key.createdAt)!,
  expires_at: seconds(key.expiresAt),
  revoked_at: seconds(key.revokedAt),
  last_used_at: seconds(key.lastUsedAt),
  made_by: key.madeBy ?? null,
})

const createdBody = ({ key, token }: CreatedKey): CreatedKeyBody => ({ ...keyBody(key), key: token })

const listBody = (keys: readonly KeyRecord[]): KeyListBody => ({ object: 'list', data: keys.map(keyBody) })

/** @throws RateLimitError */
function countChange(changes: FixedWindows, root: string): void {
  const waitMs = changes.count(root)
  if (waitMs === undefined) return
  throw new RateLimitError(
    `Keys that come from one key of the operator may be made or rotated ${CHANGES_PER_MINUTE} times in a minute. ` +
      'Try again later.',
    waitMs,
  )
}

const noMaker = (): GatewayError =>
  new GatewayError(
    'scope_required',
    'Only an API key with the scope admin makes keys here. The operator of this server uses: petals-chat keys',
  )

function accessFailure(error: AccessError): Error {
  const { code, message } = error
  if (code === 'unavailable') return error
  if (code === 'not_granted') return new GatewayError('scope_required', message)
  return code === 'not_found'
    ? new GatewayError('unknown_key', message)
    : new InvalidRequestError(message, { reason: 'invalid_value' })
}
