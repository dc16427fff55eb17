/**
 * Tools that models may call: built-in ones (time, calculator, web pages), and those of MCP servers, which are untrusted: what
 * they send is bounded in size and in time, and their failures are results.
 *
 * ```ts
 * const config = toolsConfigSchema.parse({ servers: [{ name: 'wiki', url: 'http://127.0.0.1:9000/mcp' }] })
 * await using tools = await createToolBox(config, { version: '1.0.0' })
 * const { text } = await tools.call('calculator', { expression: '6 * 7' })
 * ```
 *
 * @packageDocumentation
 */
export { type FetchConfig, type McpServerConfig, type ToolsConfig, toolsConfigSchema } from './config.ts'
export { createToolBox, type ToolBoxOptions } from './tool-box.ts'
