// LiftMQ under the official Java client.

import { startLiftmq } from './server.ts';
import { compatibilitySuite } from './suite.ts';

compatibilitySuite(startLiftmq, { port: 21_911, record: false });
