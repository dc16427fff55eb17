import { sizeOf, type HeldRoom, type RoomRequest } from './room.ts'

/**
 * Returns the request that gets room next: of the origin that would have the least, and of its owners the one that would have
 * the least. Requests of one owner keep their order.
 */
export function nextInLine(
  waiting: Iterable<RoomRequest>,
  held: Iterable<HeldRoom>,
): RoomRequest | undefined {
  const [ofOwners, ofOrigins] = [new Map<string, number>(), new Map<string, number>()]
  const add = (sizes: Map<string, number>, name: string, size: number) =>
    sizes.set(name, (sizes.get(name) ?? 0) + size)
  for (const { request } of held) {
    add(ofOwners, request.owner, sizeOf(request))
    add(ofOrigins, request.origin, sizeOf(request))
  }
  const firstOfOwners = firstOf(waiting, ({ owner }) => owner)
  const least = (requests: Iterable<RoomRequest>, weight: (request: RoomRequest) => number) =>
    [...requests].reduce((a, b) => (weight(b) < weight(a) ? b : a))
  const perOrigin = [...Map.groupBy(firstOfOwners, ({ origin }) => origin).values()].map((requests) =>
    least(requests, (request) => (ofOwners.get(request.owner) ?? 0) + sizeOf(request)),
  )
  if (perOrigin.length === 0) return undefined
  return least(perOrigin, (request) => (ofOrigins.get(request.origin) ?? 0) + sizeOf(request))
}

function firstOf(
  requests: Iterable<RoomRequest>,
  name: (request: RoomRequest) => string,
): readonly RoomRequest[] {
  const first = new Map<string, RoomRequest>()
  for (const request of requests) if (!first.has(name(request))) first.set(name(request), request)
  return [...first.values()]
}
