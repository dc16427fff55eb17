/**
 * Whether a step of native code hangs: for programs that run steps of their own.
 *
 * @packageDocumentation
 */
export { StepClock, type StepClockOptions, type Usage } from './child/step-clock.ts'
