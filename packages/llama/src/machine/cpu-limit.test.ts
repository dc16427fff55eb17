import { availableParallelism } from 'node:os'
import { describe, expect, it } from 'vitest'
import { cgroupCpuLimit, countCores } from './cpu-limit.ts'

const files = (contents: Readonly<Record<string, string>>) => (path: string) => contents[path]

describe('cgroupCpuLimit', () => {
  it('reads version 2, in which a parent group may be stricter', () => {
    const read = files({
      '/proc/self/cgroup': '0::/system.slice/app.service\n',
      '/sys/fs/cgroup/system.slice/cpu.max': '150000 100000\n',
      '/sys/fs/cgroup/system.slice/app.service/cpu.max': 'max 100000\n',
    })
    expect(cgroupCpuLimit(read)).toBe(1.5)
  })

  it('reads version 1, also in a container that does not see its own path', () => {
    const read = files({
      '/proc/self/cgroup': '4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n',
      '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '50000',
      '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000',
    })
    expect(cgroupCpuLimit(read)).toBe(0.5)
  })

  it('returns undefined without a limit', () => {
    const v1 = {
      '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1',
      '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000',
    }
    expect(cgroupCpuLimit(files({ '/proc/self/cgroup': '1:cpu:/\n', ...v1 }))).toBeUndefined()
    expect(
      cgroupCpuLimit(files({ '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': 'max 100000' })),
    ).toBeUndefined()
    expect(cgroupCpuLimit(files({}))).toBeUndefined()
  })
})

describe('countCores', () => {
  it('counts at least one core, and no more than are installed', () => {
    const { available, installed } = countCores()
    expect(available).toBeGreaterThanOrEqual(1)
    expect(available).toBeLessThanOrEqual(installed)
  })

  it.runIf(process.platform === 'linux')('reports what limits the count', () => {
    const read = files({ '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': '30000 100000' })
    expect(countCores(read)).toMatchObject({
      available: 1,
      limitedBy: availableParallelism() > 0.3 ? 'cgroup' : undefined,
    })
  })
})
