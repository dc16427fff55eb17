const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens at that address',
  ENOTFOUND: 'its name is unknown',
  EAI_AGAIN: 'its name could not be looked up',
  EHOSTUNREACH: 'there is no way to that host',
  ENETUNREACH: 'there is no way to that network',
  ECONNRESET: 'it closed the connection',
  EPIPE: 'it closed the connection',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by itself (NODE_EXTRA_CA_CERTS adds it)',
  SELF_SIGNED_CERT_IN_CHAIN:
    'its certificate is signed by an unknown authority (NODE_EXTRA_CA_CERTS adds it)',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'its certificate is signed by an unknown authority (NODE_EXTRA_CA_CERTS adds it)',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  HPE_INVALID_CONSTANT: 'it does not speak HTTP',
}

/** Says why no HTTP server could be asked, after "it" or "the server". `error`: of Node's sockets, TLS or HTTP parser. */
export const connectionProblem = ({ code, name }: Error & { readonly code?: string }): string =>
  reasons[code ?? ''] ?? `the connection failed (${code ?? name})`
