import type { ClientAddress } from './client-address.ts'

const PREFIX = 'address:'

/** Returns the account of clients without a credential: their network distinguishes them. */
export const addressAccount = ({ network }: Pick<ClientAddress, 'network'>): string => PREFIX + network

/** Reports whether an account belongs to an address, and not to a caller with a credential. */
export const isAddressAccount = (account: string): boolean => account.startsWith(PREFIX)
