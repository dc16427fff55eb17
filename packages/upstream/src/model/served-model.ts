import type { LoadableModel } from '@petals-chat/engine'
import type { UpstreamModelSpec } from '../config.ts'
import { UpstreamModel, type UpstreamModelOptions } from './upstream-model.ts'

/** A model of another server, as the registry takes it. There is nothing to load; the key stays in this package. */
export function servedModel(
  spec: UpstreamModelSpec,
  options: Omit<UpstreamModelOptions, 'spec'>,
): LoadableModel {
  const model = new UpstreamModel({ ...options, spec })
  const { apiKey: _secret, ...shown } = spec
  return { spec: shown, loaded: model, load: async () => model }
}
