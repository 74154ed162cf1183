export type { Broker, BrokerStats } from './broker.ts';
export { startBroker } from './broker.ts';
export type { BrokerConfig } from './config.ts';
export { brokerRows, readBrokerConfig } from './config.ts';
