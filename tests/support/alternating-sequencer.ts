import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * Within each group, takes the files of its projects in turn, evenly to the end: two workers then mostly run files of
 * different kinds. A file with a swarm of Python servers keeps the processor busy; a browser mostly waits.
 */
export class AlternatingSequencer extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const lanes = Map.groupBy(sorted, ({ project }) => project)
    const places = new Map(
      [...lanes.values()].flatMap((lane) =>
        lane.map((file, index) => [file, (index + 0.5) / lane.length] as const),
      ),
    )
    return sorted.toSorted((a, b) => groupOf(a) - groupOf(b) || places.get(a)! - places.get(b)!)
  }
}

const groupOf = ({ project }: TestSpecification): number => project.config.sequence.groupOrder
