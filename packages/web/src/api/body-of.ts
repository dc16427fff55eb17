import { apiErrorFromResponse, toApiError } from './errors.ts'

/** Returns the JSON of a response. @throws ApiError, also for a response that reports an error */
export async function bodyOf(response: Response): Promise<unknown> {
  if (!response.ok) throw await apiErrorFromResponse(response)
  try {
    return await response.json()
  } catch (cause) {
    throw toApiError(cause)
  }
}
