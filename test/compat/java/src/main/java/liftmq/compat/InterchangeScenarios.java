package liftmq.compat;

import com.alibaba.fastjson2.JSON;
import com.alibaba.fastjson2.JSONArray;
import com.alibaba.fastjson2.JSONObject;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.zip.CRC32;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.compression.CompressionType;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;
import org.apache.rocketmq.remoting.protocol.RequestCode;
import org.apache.rocketmq.remoting.protocol.subscription.ExponentialRetryPolicy;
import org.apache.rocketmq.remoting.protocol.subscription.GroupRetryPolicy;
import org.apache.rocketmq.remoting.protocol.subscription.GroupRetryPolicyType;
import org.apache.rocketmq.remoting.protocol.subscription.SubscriptionGroupConfig;

/**
 * What the official client does to one broker after another over the same store. The suite says in the arguments where
 * in the sequence this is; what was acknowledged, received and read goes back to it, and is compared there with the
 * files.
 */
final class InterchangeScenarios {
    /** The longest name. A retry of a POP consumer goes to a topic named after group and topic: longer than 127 bytes. */
    private static final String LONG_GROUP = "L".repeat(120);
    static final String LONG_RETRY_TOPIC = "%RETRY%" + LONG_GROUP + "_Plain";
    private static final String LONG_TOPIC = "n".repeat(127);
    private static final String[] CONSUMED = {"Plain", "Ordered", "Batch", "Compressed", "Names"};

    private InterchangeScenarios() {
    }

    static void register(Map<String, Scenario> scenarios) {
        scenarios.put("interchange-create", InterchangeScenarios::create);
        scenarios.put("interchange-send", InterchangeScenarios::send);
        scenarios.put("interchange-suspend", InterchangeScenarios::suspend);
        scenarios.put("interchange-consume", InterchangeScenarios::consume);
        scenarios.put("interchange-read", InterchangeScenarios::read);
        scenarios.put("interchange-settle", InterchangeScenarios::settle);
    }

    /** Topics and groups, with settings of their own. */
    private static void create(Run run) throws Exception {
        run.createTopic("Plain", 4);
        run.createTopic("Passing", 2);
        for (String topic : new String[] {"Names", "Batch", "Compressed", "Delayed", "Timed", "Transactions",
            LONG_TOPIC}) {
            run.createTopic(topic, 1);
        }
        TopicConfig ordered = new TopicConfig("Ordered", 6, 3);
        ordered.setOrder(true);
        ordered.setTopicSysFlag(1);
        ordered.setAttributes(Map.of("+message.type", "FIFO"));
        run.admin().createAndUpdateTopicConfig(run.broker, ordered);
        run.admin().createAndUpdateTopicConfig(run.broker, new TopicConfig("Sealed", 2, 5, 4));

        SubscriptionGroupConfig group = new SubscriptionGroupConfig();
        group.setGroupName("Slow");
        group.setConsumeBroadcastEnable(false);
        group.setConsumeFromMinEnable(false);
        group.setConsumeTimeoutMinute(7);
        group.setRetryMaxTimes(3);
        group.setRetryQueueNums(2);
        group.setConsumeMessageOrderly(true);
        GroupRetryPolicy policy = new GroupRetryPolicy();
        policy.setType(GroupRetryPolicyType.EXPONENTIAL);
        policy.setExponentialRetryPolicy(new ExponentialRetryPolicy(1000, 60_000, 3));
        group.setGroupRetryPolicy(policy);
        group.setAttributes(Map.of("+priority.factor", "50"));
        run.admin().createAndUpdateSubscriptionGroupConfig(run.broker, group);
    }

    /** One of everything that any broker takes. */
    private static void send(Run run) throws Exception {
        String stage = run.arguments.getString("stage");
        List<Object> acknowledged = Collections.synchronizedList(new ArrayList<>());
        run.saw("acknowledged", acknowledged);
        DefaultMQProducer producer = run.producer();
        for (int i = 0; i < 60; i++) {
            Message message = new Message("Plain", i % 3 == 0 ? "" : "tag" + i % 3,
                "s" + stage + "-" + i + " s" + stage + "-all",
                ("plain " + stage + " " + i + " " + "x".repeat(i * 25)).getBytes(StandardCharsets.UTF_8));
            message.setFlag(i - 5);
            message.putUserProperty("stage", stage);
            sent(acknowledged, message, producer.send(message, run.queue("Plain", i % 4)));
        }
        for (int i = 0; i < 6; i++) {
            Message message = new Message("Ordered", ("ordered " + stage + " " + i).getBytes(StandardCharsets.UTF_8));
            sent(acknowledged, message, producer.send(message, run.queue("Ordered", i % 3)));
        }
        Message unicode = new Message("Names", "Käse", "鍵" + stage, "größer als 1 €".getBytes(StandardCharsets.UTF_8));
        unicode.putUserProperty("Übung", "🚀");
        sent(acknowledged, unicode, producer.send(unicode));
        Message longName = new Message(LONG_TOPIC, new byte[] {0});
        sent(acknowledged, longName, producer.send(longName));

        List<Message> batch = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            batch.add(new Message("Batch", "tag", "b" + stage + "-" + i,
                ("batch " + stage + " " + i).getBytes(StandardCharsets.UTF_8)));
        }
        SendResult ofBatch = producer.send(batch);
        for (int i = 0; i < batch.size(); i++) {
            sent(acknowledged, batch.get(i), ofBatch.getMsgId().split(",")[i], ofBatch.getMessageQueue().getQueueId(),
                ofBatch.getQueueOffset() + i);
        }
        byte[] text = ("compressible " + stage).repeat(500).getBytes(StandardCharsets.UTF_8);
        for (CompressionType type : CompressionType.values()) {
            DefaultMQProducer compressing = run.newProducer();
            compressing.setProducerGroup("P-" + type);
            compressing.start();
            compressing.setCompressType(type);
            Message message = new Message("Compressed", type.name(), type.name() + stage, text);
            sent(acknowledged, message, compressing.send(message));
        }
        // The first level is over soon, the second behind the next stage or two, the third behind all of them.
        for (int level = 1; level <= 3; level++) {
            Message delayed = new Message("Delayed", ("delayed " + stage + " " + level).getBytes());
            delayed.setDelayTimeLevel(level);
            sent(acknowledged, delayed, producer.send(delayed).getMsgId(), -1, -1);
        }
        passing(run, producer, stage);
        retry(run, "Retried", 1);
        retry(run, LONG_GROUP, 1);
        retry(run, LONG_GROUP, 3);
        retry(run, "Retried", -1);
        run.awaitOrFail(20, "the delayed message is delivered", () -> bodies(run, "Delayed").contains(
            "delayed " + stage + " 1"));
        // A group that an administrator moves.
        for (int queue = 0; queue < 4; queue++) {
            RemotingCommand moved = run.wire().call(run.broker, RequestCode.UPDATE_CONSUMER_OFFSET,
                "consumerGroup", "Slow", "topic", "Plain", "queueId", queue,
                "commitOffset", 3 * Integer.parseInt(stage) + queue);
            run.expect(moved.getCode() == 0, "the group is moved: " + moved.getRemark());
        }
    }

    /** A topic that is deleted and made anew where the arguments say so; what it holds from then on is reported. */
    private static void passing(Run run, DefaultMQProducer producer, String stage) throws Exception {
        if (run.arguments.getBooleanValue("anew")) {
            run.wire().call(run.broker, RequestCode.DELETE_TOPIC_IN_BROKER, "topic", "Passing");
            run.admin().createAndUpdateTopicConfig(run.broker, new TopicConfig("Passing", 2, 2));
        }
        // The first stage fills both queues, the others one.
        for (int i = 0; i < 5; i++) {
            producer.send(new Message("Passing", (stage + " " + i).getBytes()),
                run.queue("Passing", stage.equals("1") ? i % 2 : 0));
        }
        run.saw("passing", List.of(bodies(run, "Passing", 0), bodies(run, "Passing", 1)));
    }

    static void retry(Run run, String group, int delayLevel) throws Exception {
        RemotingCommand pulled = PullScenarios.pull(run, group, "Plain", 0, 0, 1, "*");
        RemotingCommand back = run.wire().call(run.broker, RequestCode.CONSUMER_SEND_MSG_BACK, "group", group,
            "offset", Facts.records(pulled).iterator().next().getCommitLogOffset(), "delayLevel", delayLevel,
            "originMsgId", "ID", "originTopic", "Plain", "unitMode", false);
        run.expect(back.getCode() == 0, "sent back for " + group + ": " + back.getRemark());
    }

    private static List<String> bodies(Run run, String topic) throws Exception {
        return bodies(run, topic, 0);
    }

    private static List<String> bodies(Run run, String topic, int queueId) throws Exception {
        List<String> bodies = new ArrayList<>();
        for (long offset = 0, end = run.admin().maxOffset(run.queue(topic, queueId)); offset < end;) {
            RemotingCommand pulled = PullScenarios.pull(run, "TOOLS_CONSUMER", topic, queueId, offset, 32, "*");
            if (pulled.getCode() != 0) {
                throw new IllegalStateException(topic + " at " + offset + " is answered with " + pulled);
            }
            for (MessageExt message : Facts.records(pulled)) {
                bodies.add(Inbox.text(message));
                offset = message.getQueueOffset() + 1;
            }
        }
        return bodies;
    }

    private static void sent(List<Object> acknowledged, Message message, SendResult result) {
        sent(acknowledged, message, result.getMsgId(), result.getMessageQueue().getQueueId(), result.getQueueOffset());
    }

    private static void sent(List<Object> acknowledged, Message message, String id, int queueId, long queueOffset) {
        acknowledged.add(new TreeMap<>(Map.of("topic", message.getTopic(), "queueId", queueId,
            "queueOffset", queueOffset, "uniqueKey", id, "bodyCrc", crc(message.getBody()))));
    }

    private static long crc(byte[] body) {
        CRC32 crc = new CRC32();
        crc.update(body);
        return crc.getValue();
    }

    /** Messages that only Apache's broker takes: it is to find them again when its turn comes. */
    private static void suspend(Run run) throws Exception {
        String stage = run.arguments.getString("stage");
        DefaultMQProducer producer = run.producer();
        Message soon = new Message("Timed", ("soon " + stage).getBytes());
        soon.setDelayTimeMs(run.arguments.getLongValue("soonMs"));
        producer.send(soon);
        Message late = new Message("Timed", ("late " + stage).getBytes());
        late.setDelayTimeSec(3600);
        producer.send(late);
        TransactionMQProducer transactions = transactions(run, message -> LocalTransactionState.UNKNOW);
        for (LocalTransactionState state : LocalTransactionState.values()) {
            transactions.sendMessageInTransaction(
                new Message("Transactions", (state + " " + stage).getBytes()), state);
        }
        run.awaitOrFail(20, "the committed message is visible", () -> bodies(run, "Transactions").contains(
            LocalTransactionState.COMMIT_MESSAGE + " " + stage));
        awaitRetries(run, run.arguments.getIntValue("popped"));
        pop(run, 5000);
    }

    private static void awaitRetries(Run run, int count) throws Exception {
        run.awaitOrFail(60, count + " popped messages come again", () ->
            count == 0 || run.admin().maxOffset(run.queue(LONG_RETRY_TOPIC, 0)) >= count);
    }

    /** Takes a message that nobody acknowledges: it comes again in the group's retry topic. */
    static void pop(Run run, long invisibleMs) throws Exception {
        RemotingCommand popped = run.wire().call(run.broker, RequestCode.POP_MESSAGE, "consumerGroup", LONG_GROUP,
            "topic", "Plain", "queueId", 0, "maxMsgNums", 1, "invisibleTime", invisibleMs, "pollTime", 0,
            "bornTime", System.currentTimeMillis(), "initMode", 0, "expType", "TAG", "exp", "*", "order", false);
        run.expect(popped.getCode() == 0, "a message is popped: " + popped);
    }

    static TransactionMQProducer transactions(Run run,
        Function<MessageExt, LocalTransactionState> onCheck) throws Exception {
        TransactionMQProducer producer = new TransactionMQProducer("P-transactions");
        producer.setNamesrvAddr(run.namesrv);
        producer.setInstanceName("transactions-" + System.nanoTime());
        producer.setTransactionListener(new TransactionListener() {
            @Override
            public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
                return (LocalTransactionState) argument;
            }

            @Override
            public LocalTransactionState checkLocalTransaction(MessageExt message) {
                return onCheck.apply(message);
            }
        });
        producer.setHeartbeatBrokerInterval(1000);
        producer.start();
        run.closing(producer::shutdown);
        return producer;
    }

    /** The group takes what it has not had, up to the ends that the arguments give. */
    private static void consume(Run run) throws Exception {
        JSONArray queues = run.arguments.getJSONArray("queues");
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer consumer = run.newPushConsumer("Readers");
        for (String topic : CONSUMED) {
            consumer.subscribe(topic, "*");
        }
        inbox.receive(consumer);
        consumer.start();
        run.awaitOrFail(40, "the group is given what is new", () -> {
            Map<String, Long> ends = new HashMap<>();
            for (MessageExt message : inbox.all()) {
                ends.merge(message.getTopic() + " " + message.getQueueId(), message.getQueueOffset() + 1, Math::max);
            }
            for (Object each : queues) {
                JSONObject queue = (JSONObject) each;
                long end = ends.getOrDefault(queue.getString("topic") + " " + queue.getInteger("queueId"), -1L);
                if (queue.getLong("from") < queue.getLong("to") && end < queue.getLong("to")) {
                    return false;
                }
            }
            return true;
        });
        // Says its offsets on its way out.
        consumer.shutdown();
        List<Object> received = new ArrayList<>();
        for (MessageExt message : inbox.all()) {
            received.add(new TreeMap<>(Map.of("topic", message.getTopic(), "queueId", message.getQueueId(),
                "queueOffset", message.getQueueOffset(), "uniqueKey", message.getMsgId(),
                "bodyCrc", crc(message.getBody()))));
        }
        run.saw("received", received);
    }

    /** All that the arguments ask for, as the official client and the tools show it. */
    private static void read(Run run) throws Exception {
        Map<String, Object> queues = new TreeMap<>();
        for (Object each : run.arguments.getJSONArray("queues")) {
            JSONObject queue = (JSONObject) each;
            queues.put(queue.getString("topic") + " " + queue.getInteger("queueId"),
                readQueue(run, queue.getString("topic"), queue.getInteger("queueId"), queue.getLong("to")));
        }
        run.saw("queues", queues);
        Map<String, Object> byKey = new TreeMap<>();
        for (Object each : run.arguments.getJSONArray("keys")) {
            JSONObject key = (JSONObject) each;
            byKey.put(key.getString("topic") + " " + key.getString("key"),
                byKey(run, key.getString("topic"), key.getString("key")));
        }
        run.saw("byKey", byKey);
        Map<String, Object> topics = new TreeMap<>();
        for (Object topic : run.arguments.getJSONArray("topics")) {
            topics.put((String) topic, JSON.toJSON(run.admin().examineTopicConfig(run.broker, (String) topic)));
        }
        run.saw("topics", topics);
        Map<String, Object> groups = new TreeMap<>();
        for (Object group : run.arguments.getJSONArray("groups")) {
            groups.put((String) group,
                JSON.toJSON(run.admin().examineSubscriptionGroupConfig(run.broker, (String) group)));
        }
        run.saw("groups", groups);
        Map<String, Object> committed = new TreeMap<>();
        for (Object each : run.arguments.getJSONArray("offsets")) {
            JSONObject at = (JSONObject) each;
            RemotingCommand answer = run.wire().call(run.broker, RequestCode.QUERY_CONSUMER_OFFSET,
                "consumerGroup", at.getString("group"), "topic", at.getString("topic"), "queueId",
                at.getInteger("queueId"), "setZeroIfNotFound", false);
            committed.put(at.getString("topic") + "@" + at.getString("group") + " " + at.getInteger("queueId"),
                answer.getCode() == 0 ? Long.parseLong(answer.getExtFields().get("offset")) : -1);
        }
        run.saw("committed", committed);
        Map<String, Object> delays = new TreeMap<>();
        // Apache's broker fails on this (NoSuchElementException) until it has taken its first sample, a second after its start.
        run.awaitOrFail(15, "the broker knows its own state", () -> {
            try {
                run.admin().fetchBrokerRuntimeStats(run.broker).getTable().forEach((name, value) -> {
                    if (name.startsWith("scheduleMessageOffset_")) {
                        delays.put(name.substring("scheduleMessageOffset_".length()), value);
                    }
                });
                return true;
            } catch (MQBrokerException early) {
                return false;
            }
        });
        run.saw("delays", delays);
        run.saw("passing", List.of(bodies(run, "Passing", 0), bodies(run, "Passing", 1)));
    }

    private static Map<String, Object> readQueue(Run run, String topic, int queueId, long to) throws Exception {
        long from = run.admin().minOffset(run.queue(topic, queueId));
        Map<String, Object> facts = new TreeMap<>();
        facts.put("min", from);
        facts.put("max", run.admin().maxOffset(run.queue(topic, queueId)));
        List<Object> records = new ArrayList<>();
        for (long offset = from; offset < to;) {
            RemotingCommand pulled = PullScenarios.pull(run, "TOOLS_CONSUMER", topic, queueId, offset, 32, "*");
            if (pulled.getCode() != 0) {
                facts.put("stopped", "code " + pulled.getCode() + " at " + offset);
                break;
            }
            ByteBuffer body = ByteBuffer.wrap(pulled.getBody());
            while (body.hasRemaining() && offset < to) {
                int at = body.position();
                int size = body.getInt(at);
                MessageExt message = MessageDecoder.decode(body.slice(at, size), true, false);
                records.add(GoldenScenarios.record(message.getCommitLogOffset(), size, message));
                offset = message.getQueueOffset() + 1;
                body.position(at + size);
            }
        }
        facts.put("records", records);
        return facts;
    }

    /** Physical offsets, each once, of the messages that have the key. */
    private static TreeSet<Long> byKey(Run run, String topic, String key) throws Exception {
        RemotingCommand found = run.wire().call(run.broker, RequestCode.QUERY_MESSAGE, "topic", topic, "key", key,
            "maxNum", 64, "beginTimestamp", 0, "endTimestamp", Long.MAX_VALUE);
        TreeSet<Long> offsets = new TreeSet<>();
        if (found.getCode() == 0) {
            for (MessageExt message : Facts.records(found)) {
                List<String> keys = message.getKeys() == null ? List.of() : List.of(message.getKeys().split(" "));
                if (keys.contains(key) || key.equals(message.getProperty("UNIQ_KEY"))) {
                    offsets.add(message.getCommitLogOffset());
                }
            }
        }
        return offsets;
    }

    /** What waited for Apache's broker is served: half messages are asked for, timers go off. */
    private static void settle(Run run) throws Exception {
        // A broker that is killed asks again for what was rolled back.
        TransactionMQProducer producer = transactions(run, message -> Inbox.text(message).startsWith("ROLLBACK")
            ? LocalTransactionState.ROLLBACK_MESSAGE : LocalTransactionState.COMMIT_MESSAGE);
        // From its first message on the client tells the broker that it is there to be asked.
        producer.sendMessageInTransaction(new Message("Transactions", "ROLLBACK_MESSAGE".getBytes()),
            LocalTransactionState.ROLLBACK_MESSAGE);
        List<String> stages = run.arguments.getList("stages", String.class);
        awaitRetries(run, stages.size());
        run.awaitOrFail(60, "what waited is served", () -> {
            List<String> timed = bodies(run, "Timed");
            List<String> committed = bodies(run, "Transactions");
            return stages.stream().allMatch(stage -> timed.contains("soon " + stage)
                && committed.contains(LocalTransactionState.UNKNOW + " " + stage));
        });
        run.saw("timed", bodies(run, "Timed"));
        run.saw("transactions", bodies(run, "Transactions"));
        run.saw("delayed", bodies(run, "Delayed"));
    }
}
