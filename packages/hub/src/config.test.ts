import { homedir } from 'node:os'
import { normalize, resolve } from 'node:path'
import { expect, it } from 'vitest'
import { z } from 'zod'
import {
  type Environment,
  type HubConfigInput,
  hubConfigFromEnvironment,
  hubConfigSchema,
  hubPaths,
} from './config.ts'

const pathsOf = (env: Environment, section?: HubConfigInput) =>
  hubPaths(hubConfigSchema.parse(hubConfigFromEnvironment(env, section)), '/home/me')

it('without settings the caches are where other programs have them', () => {
  expect(pathsOf({})).toEqual({
    cacheDir: normalize('/home/me/.cache/huggingface/hub'),
    wheelCacheDir: normalize('/home/me/.cache/petals-chat/wheels'),
    tokenPath: normalize('/home/me/.cache/huggingface/token'),
  })
  expect(hubPaths(hubConfigSchema.parse({}), '/home/me')).toEqual(pathsOf({}))
  expect(hubConfigSchema.parse({}).endpoint).toBe('https://huggingface.co')
})

// huggingface_hub/constants.py
it.each<[Environment, string]>([
  [{ HF_HUB_CACHE: '/a', HUGGINGFACE_HUB_CACHE: '/b', HF_HOME: '/c', XDG_CACHE_HOME: '/d' }, '/a'],
  [{ HUGGINGFACE_HUB_CACHE: '/b', HF_HOME: '/c', XDG_CACHE_HOME: '/d' }, '/b'],
  [{ HF_HOME: '/c', XDG_CACHE_HOME: '/d' }, '/c/hub'],
  [{ HF_HOME: '~/hf' }, '/home/me/hf/hub'],
  [{ XDG_CACHE_HOME: '/d' }, '/d/huggingface/hub'],
  [{ HF_HUB_CACHE: '', HF_HOME: ' ' }, '/home/me/.cache/huggingface/hub'],
])('%j puts the cache at %s', (env, cacheDir) => {
  expect(pathsOf(env).cacheDir).toBe(normalize(cacheDir))
})

it('the environment takes precedence over the file, and the file over defaults', () => {
  const section = { cacheDir: '/file', endpoint: 'https://file.example', offline: true, token: 'hf_file' }
  expect(pathsOf({ XDG_CACHE_HOME: '/d' }, section).cacheDir).toBe('/file')
  expect(pathsOf({ HF_HOME: '/c' }, section).cacheDir).toBe(normalize('/c/hub'))
  const merged = hubConfigFromEnvironment(
    { HF_ENDPOINT: 'https://env.example/', HF_HUB_OFFLINE: '0', HF_TOKEN: 'hf_env' },
    section,
  )
  expect(hubConfigSchema.parse(merged)).toMatchObject({
    endpoint: 'https://env.example',
    offline: false,
    token: 'hf_env',
  })
})

it.each(['1', 'on', 'YES', 'true'])('HF_HUB_OFFLINE=%s switches the network off', (value) => {
  expect(hubConfigFromEnvironment({ HF_HUB_OFFLINE: value }).offline).toBe(true)
})

it('a token file of the environment takes precedence over a token of the file', () => {
  const config = hubConfigFromEnvironment({ HF_TOKEN_PATH: '/run/secrets/hf' }, { token: 'hf_file' })
  expect(config).toMatchObject({ token: undefined, tokenPath: '/run/secrets/hf' })
  expect(hubConfigFromEnvironment({ HF_HOME: '/c' }).tokenPath).toBe(normalize('/c/token'))
})

it('an endpoint that is not a URL is refused', () => {
  expect(hubConfigSchema.safeParse({ endpoint: 'huggingface.co' }).success).toBe(false)
  expect(hubConfigSchema.safeParse({ endpoint: 'file:///etc' }).success).toBe(false)
})

it('relative folders of the file are relative to it, those of the environment to the working directory', () => {
  const section = { cacheDir: './cache' }
  const config = hubConfigSchema.parse(hubConfigFromEnvironment({}, section))
  expect(hubPaths(config, '/home/me', '/etc/petals').cacheDir).toBe(normalize('/etc/petals/cache'))
  const fromEnvironment = hubConfigSchema.parse(hubConfigFromEnvironment({ HF_HUB_CACHE: 'cache' }, section))
  expect(hubPaths(fromEnvironment, '/home/me', '/etc/petals').cacheDir).toBe(resolve('cache'))
})

it('the JSON schema of the section describes every key and contains nothing of this machine', () => {
  const { properties = {} } = z.toJSONSchema(hubConfigSchema, { io: 'input' })
  for (const property of Object.values(properties)) expect(property).toHaveProperty('description')
  expect(JSON.stringify(properties)).not.toContain(homedir())
})
