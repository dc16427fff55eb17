/**
 * This machine as a server of a Petals swarm: makes the Python environment, checks what the machine can hold, starts a
 * Petals server and keeps it running.
 *
 * @packageDocumentation
 */
export { petalsServerScript, pythonFolder } from './paths.ts'
