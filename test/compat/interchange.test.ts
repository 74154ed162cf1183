// Apache RocketMQ and LiftMQ in turn over one store, each stopped cleanly.

import { interchange } from './interchange/suite.ts';

interchange('a store goes to and fro between Apache RocketMQ and LiftMQ, and loses nothing', 24_911, [
  { broker: 'apache', ip: '127.0.0.1', stop: 'SIGTERM' },
  { broker: 'liftmq', ip: '::1', stop: 'SIGTERM' },
  { broker: 'apache', ip: '::1', stop: 'SIGTERM' },
  { broker: 'liftmq', ip: '127.0.0.1', stop: 'SIGTERM' },
  { broker: 'apache', ip: '127.0.0.1', stop: 'SIGKILL' },
]);
