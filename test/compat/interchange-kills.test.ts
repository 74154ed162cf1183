// LiftMQ and Apache RocketMQ in turn over one store; what the next one opens was mostly left by a SIGKILL.

import { interchange } from './interchange/suite.ts';

interchange('a store goes to and fro between brokers that are killed, and loses nothing', 25_911, [
  { broker: 'liftmq', ip: '127.0.0.1', stop: 'SIGKILL' },
  { broker: 'apache', ip: '::1', stop: 'SIGKILL' },
  { broker: 'liftmq', ip: '127.0.0.1', stop: 'SIGKILL' },
  { broker: 'apache', ip: '127.0.0.1', stop: 'SIGKILL' },
  { broker: 'liftmq', ip: '::1', stop: 'SIGTERM' },
  { broker: 'apache', ip: '127.0.0.1', stop: 'SIGKILL' },
]);
