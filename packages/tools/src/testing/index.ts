export * from './mcp-test-server.ts'
