import { type ConfigReading, type ConfigRow, type ConfigValues, readConfig } from '../common/mod.ts';
import { storeConfigRows } from '../store/mod.ts';
import { brokerConfigRows } from './broker-config-rows.ts';
import { networkConfigRows } from './network-config-rows.ts';

/** Everything that may stand in a broker.conf. */
export const brokerRows = [
  ...brokerConfigRows,
  ...networkConfigRows,
  ...storeConfigRows,
] as const satisfies readonly ConfigRow[];

export type BrokerConfig = ConfigValues<typeof brokerRows>;

/** Reads a broker.conf, already taken apart; absent keys get Apache's defaults. */
export function readBrokerConfig(properties: ReadonlyMap<string, string>): ConfigReading<typeof brokerRows> {
  const reading = readConfig(brokerRows, properties);
  if (reading.values.brokerRole === 'SLAVE') {
    reading.refusals.push(
      'brokerRole=SLAVE is not supported: this version runs masters only; slaves come with replication',
    );
  }
  return reading;
}
