import type { PetalsBody, TimingsBody, UsageBody } from '@petals-chat/api'
import type { WaitNotice } from '../../../swarm/swarm-report.ts'
import type { ResponseHead } from './head.ts'

/** Writes the events of one streamed answer. The parts that all events share are serialized once. */
export class FrameWriter {
  readonly #begin: string
  readonly #end: string

  /** `includeUsage`: every event but the last has `usage: null`. */
  constructor(head: ResponseHead, object: string, includeUsage: boolean) {
    this.#begin = `data: ${JSON.stringify({ ...head, object }).slice(0, -1)},"choices":[`
    this.#end = includeUsage ? ',"usage":null}\n\n' : '}\n\n'
  }

  /** `json`: the one choice of this event. */
  choice(json: string, petals?: PetalsBody): string {
    return `${this.#begin}${json}]${petalsJson(petals)}${this.#end}`
  }

  lastOfChoice(json: string, timings: TimingsBody, petals?: PetalsBody): string {
    return `${this.#begin}${json}],"timings":${JSON.stringify(timings)}${petalsJson(petals)}${this.#end}`
  }

  /** Yields no frame if the notice is empty. */
  *wait({ comment, petals }: WaitNotice): Generator<string> {
    const remark = comment === undefined ? '' : `: ${comment}\n`
    if (petals !== undefined) yield `${remark}${this.#begin}]${petalsJson(petals)}${this.#end}`
    else if (remark !== '') yield `${remark}\n`
  }

  usage(usage: UsageBody): string {
    return `${this.#begin}],"usage":${JSON.stringify(usage)}}\n\n`
  }
}

const petalsJson = (petals: PetalsBody | undefined): string =>
  petals === undefined ? '' : `,"petals":${JSON.stringify(petals)}`
