/** The simulation: a whole cluster in one thread, in virtual time, from one seed. */

export { type FaultKind, faultKinds } from './faults.ts';
export { SimulationFailure } from './scheduler.ts';
export { SimClock } from './sim-clock.ts';
export { type DiskFault, type DiskOperation, type DiskShape, SimDisk } from './sim-disk.ts';
export type { NetworkShape } from './sim-links.ts';
export { ProcessEnded, SimNode } from './sim-node.ts';
export { SimRandom } from './sim-random.ts';
export { type NodeOptions, SimWorld, type WorldOptions } from './sim-world.ts';
export { SimulationError, type SimulationOptions, type SimulationReport, simulate } from './simulation.ts';
