// Apache RocketMQ itself under the same programs, so that the recorded facts stay true. A few scenarios in every run;
// all of them with `npm run test:compat -- --apache`.

import { startApache } from './server.ts';
import { compatibilitySuite } from './suite.ts';

const everyRun = ['send-sync', 'send-batch', 'message-fields', 'pull-answers', 'consumer-offsets', 'queue-locks'];

compatibilitySuite(startApache, {
  port: 20_911,
  ...(process.env.COMPAT_APACHE === 'all' ? {} : { only: everyRun }),
  record: process.env.COMPAT_RECORD === '1',
});
