import type { Caller } from '../access/caller.ts'

/** Who made something that is kept, and alone may read, stop and delete it. */
export type Owner = Pick<Caller, 'id'>

/** Reports whether a caller may find what is kept. What belongs to another caller is as unknown as nothing. */
export const belongsTo = ({ owner }: { readonly owner: Owner }, { id }: Owner): boolean => owner.id === id
