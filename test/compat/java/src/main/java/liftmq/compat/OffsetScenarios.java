package liftmq.compat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;
import org.apache.rocketmq.remoting.protocol.RequestCode;
import org.apache.rocketmq.remoting.protocol.body.LockBatchRequestBody;
import org.apache.rocketmq.remoting.protocol.body.LockBatchResponseBody;

/** Offsets of queues and of groups, and the locks of orderly consumers. */
final class OffsetScenarios {
    private OffsetScenarios() {
    }

    static void register(Map<String, Scenario> scenarios) {
        scenarios.put("consumer-offsets", OffsetScenarios::consumerOffsets);
        scenarios.put("queue-offsets", OffsetScenarios::queueOffsets);
        scenarios.put("offsets-by-time", OffsetScenarios::byTime);
        scenarios.put("reset-by-time", OffsetScenarios::resetByTime);
        scenarios.put("queue-locks", OffsetScenarios::locks);
        scenarios.put("consumer-list", OffsetScenarios::consumerList);
    }

    private static RemotingCommand query(Run run, String group, String topic, int queueId, Boolean setZeroIfNotFound)
        throws Exception {
        return run.wire().call(run.broker, RequestCode.QUERY_CONSUMER_OFFSET, "consumerGroup", group, "topic", topic,
            "queueId", queueId, "setZeroIfNotFound", setZeroIfNotFound);
    }

    private static RemotingCommand update(Run run, String group, String topic, int queueId, long offset)
        throws Exception {
        return run.wire().call(run.broker, RequestCode.UPDATE_CONSUMER_OFFSET, "consumerGroup", group, "topic", topic,
            "queueId", queueId, "commitOffset", offset);
    }

    private static void consumerOffsets(Run run) throws Exception {
        run.createTopic(run.topic(), 2);
        run.send(run.producer(), run.topic(), "m", 10, 1);
        String group = run.group();
        run.saw("query, group unknown, queue with messages", Facts.answer(query(run, group, run.topic(), 0, null)));
        run.saw("query, no zero", Facts.answer(query(run, group, run.topic(), 0, false)));
        run.saw("query, queue without messages", Facts.answer(query(run, group, run.topic(), 1, null)));
        run.saw("query, topic unknown", Facts.answer(query(run, group, run.topic("missing"), 0, null)));
        run.saw("update, group unknown", Facts.answer(update(run, group, run.topic(), 0, 3)));
        // A pull makes the group known.
        PullScenarios.pull(run, group, run.topic(), 0, 0, 1, "*");
        run.saw("update", Facts.answer(update(run, group, run.topic(), 0, 3)));
        run.saw("query", Facts.answer(query(run, group, run.topic(), 0, null)));
        run.saw("update, topic unknown", Facts.answer(update(run, group, run.topic("missing"), 0, 3)));
        run.saw("update backwards", Facts.answer(update(run, group, run.topic(), 0, 1)));
        run.saw("query after it", Facts.answer(query(run, group, run.topic(), 0, null)));
        run.saw("update past the end", Facts.answer(update(run, group, run.topic(), 0, 1000)));
        run.saw("query past the end", Facts.answer(query(run, group, run.topic(), 0, null)));
    }

    private static Map<String, Object> offsets(Run run, MessageQueue queue) throws Exception {
        Map<String, Object> facts = new TreeMap<>();
        String topic = queue.getTopic();
        int id = queue.getQueueId();
        facts.put("max", Facts.answer(run.wire().call(run.broker, RequestCode.GET_MAX_OFFSET, "topic", topic, "queueId", id)));
        facts.put("min", Facts.answer(run.wire().call(run.broker, RequestCode.GET_MIN_OFFSET, "topic", topic, "queueId", id)));
        return facts;
    }

    private static void queueOffsets(Run run) throws Exception {
        run.createTopic(run.topic(), 2);
        run.send(run.producer(), run.topic(), "m", 10, 1);
        run.saw("queue with messages", offsets(run, run.queue(run.topic(), 0)));
        run.saw("empty queue", offsets(run, run.queue(run.topic(), 1)));
        run.saw("no such queue", offsets(run, run.queue(run.topic(), 9)));
        run.saw("no such topic", offsets(run, run.queue(run.topic("missing"), 0)));
        run.saw("earliest time", Facts.answer(run.wire().call(run.broker, RequestCode.GET_EARLIEST_MSG_STORETIME,
            "topic", run.topic(), "queueId", 0)));
        run.saw("earliest time of an empty queue", run.admin().earliestMsgStoreTime(run.queue(run.topic(), 1)));
    }

    private static void byTime(Run run) throws Exception {
        run.createTopic(run.topic(), 1);
        DefaultMQProducer producer = run.producer();
        long before = System.currentTimeMillis() - 1;
        Thread.sleep(5);
        run.send(producer, run.topic(), "a", 5, 1);
        Thread.sleep(50);
        long middle = System.currentTimeMillis();
        Thread.sleep(50);
        run.send(producer, run.topic(), "b", 5, 1);
        Thread.sleep(50);
        long after = System.currentTimeMillis();
        long storedFifth = Facts.records(PullScenarios.pull(run, run.group(), run.topic(), 0, 4, 1, "*"))
            .iterator().next().getStoreTimestamp();
        for (String boundary : new String[] {null, "LOWER", "UPPER"}) {
            Map<String, Object> facts = new TreeMap<>();
            facts.put("time 0", search(run, 0, boundary));
            facts.put("before all", search(run, before, boundary));
            facts.put("between", search(run, middle, boundary));
            facts.put("after all", search(run, after, boundary));
            facts.put("in the future", search(run, after + 3_600_000, boundary));
            run.saw("boundary " + boundary, facts);
        }
        long found = (Long) search(run, storedFifth, "UPPER");
        run.expect(found >= 4 && found < 5, "UPPER of the fifth message's own time is that message, not " + found);
        run.saw("empty topic", Facts.answer(run.wire().call(run.broker, RequestCode.SEARCH_OFFSET_BY_TIMESTAMP,
            "topic", run.topic("missing"), "queueId", 0, "timestamp", middle)));
    }

    private static Object search(Run run, long time, String boundary) throws Exception {
        RemotingCommand answer = run.wire().call(run.broker, RequestCode.SEARCH_OFFSET_BY_TIMESTAMP,
            "topic", run.topic(), "queueId", 0, "timestamp", time, "boundaryType", boundary);
        return answer.getCode() == 0 ? Long.parseLong(answer.getExtFields().get("offset")) : Facts.answer(answer);
    }

    /** A group goes back in time by the calls that a pull consumer has: search, update, pull. */
    private static void resetByTime(Run run) throws Exception {
        run.createTopic(run.topic(), 2);
        DefaultMQProducer producer = run.producer();
        run.send(producer, run.topic(), "a", 10, 2);
        Thread.sleep(50);
        long middle = System.currentTimeMillis();
        Thread.sleep(50);
        run.send(producer, run.topic(), "b", 10, 2);
        Inbox first = new Inbox();
        DefaultMQPushConsumer consumer = run.newPushConsumer(run.group());
        consumer.subscribe(run.topic(), "*");
        first.receive(consumer);
        consumer.start();
        run.awaitOrFail(30, "all are consumed", () -> first.count() >= 20);
        consumer.shutdown();
        List<Long> targets = new ArrayList<>();
        for (int queue = 0; queue < 2; queue++) {
            long offset = run.admin().searchOffset(run.queue(run.topic(), queue), middle);
            targets.add(offset);
            run.saw("update of queue " + queue, update(run, run.group(), run.topic(), queue, offset).getCode());
        }
        run.saw("targets", targets);
        Inbox again = new Inbox();
        DefaultMQPushConsumer successor = run.newPushConsumer(run.group());
        successor.subscribe(run.topic(), "*");
        again.receive(successor);
        successor.start();
        run.awaitOrFail(30, "the newer half comes again", () -> again.count() >= 10);
        run.saw("again", new ArrayList<>(again.bodies()));
    }

    private static List<Integer> lock(Run run, String client, boolean lock, int... queues) throws Exception {
        LockBatchRequestBody body = new LockBatchRequestBody();
        body.setConsumerGroup(run.group());
        body.setClientId(client);
        for (int queue : queues) {
            body.getMqSet().add(run.queue(run.topic(), queue));
        }
        int code = lock ? RequestCode.LOCK_BATCH_MQ : RequestCode.UNLOCK_BATCH_MQ;
        RemotingCommand answer = run.wire().callWithBody(run.broker, code, body.encode());
        run.expect(answer.getCode() == 0, "lock answers are successful");
        if (!lock) {
            return List.of();
        }
        Set<MessageQueue> locked = LockBatchResponseBody.decode(answer.getBody(), LockBatchResponseBody.class)
            .getLockOKMQSet();
        return List.copyOf(new TreeSet<>(locked.stream().map(MessageQueue::getQueueId).toList()));
    }

    private static void locks(Run run) throws Exception {
        run.createTopic(run.topic(), 4);
        run.saw("1 a locks 0 1", lock(run, "a", true, 0, 1));
        run.saw("2 b locks 1 2", lock(run, "b", true, 1, 2));
        run.saw("3 a locks 0 1 again", lock(run, "a", true, 0, 1));
        lock(run, "b", false, 0, 1);
        run.saw("4 b frees what it does not hold, locks 0 1", lock(run, "b", true, 0, 1));
        lock(run, "a", false, 1);
        run.saw("5 a frees 1, b locks 0 1", lock(run, "b", true, 0, 1));
        run.saw("6 a queue that does not exist", lock(run, "a", true, 77));
    }

    private static void consumerList(Run run) throws Exception {
        run.createTopic(run.topic(), 1);
        run.saw("unknown group", Facts.answer(run.wire().call(run.broker, RequestCode.GET_CONSUMER_LIST_BY_GROUP,
            "consumerGroup", run.group("unknown"))));
        DefaultMQPushConsumer consumer = run.newPushConsumer(run.group());
        consumer.subscribe(run.topic(), "A");
        new Inbox().receive(consumer);
        consumer.start();
        run.awaitOrFail(10, "the broker knows the consumer", () -> {
            RemotingCommand answer = run.wire().call(run.broker, RequestCode.GET_CONSUMER_LIST_BY_GROUP,
                "consumerGroup", run.group());
            return answer.getCode() == 0 && new String(answer.getBody()).contains(consumer.buildMQClientId());
        });
        consumer.shutdown();
        run.awaitOrFail(10, "it forgets it at once when it leaves", () ->
            run.wire().call(run.broker, RequestCode.GET_CONSUMER_LIST_BY_GROUP, "consumerGroup", run.group())
                .getCode() != 0);
        run.saw("after it left", Facts.answer(run.wire().call(run.broker, RequestCode.GET_CONSUMER_LIST_BY_GROUP,
            "consumerGroup", run.group())));
    }
}
