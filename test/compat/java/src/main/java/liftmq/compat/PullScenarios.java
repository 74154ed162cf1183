package liftmq.compat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.common.sysflag.PullSysFlag;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;
import org.apache.rocketmq.remoting.protocol.RequestCode;

/** Pulls: their codes and next offsets, limits, long polling, and the lite pull consumer. */
final class PullScenarios {
    private PullScenarios() {
    }

    static void register(Map<String, Scenario> scenarios) {
        scenarios.put("pull-answers", PullScenarios::answers);
        scenarios.put("pull-limits", PullScenarios::limits);
        scenarios.put("pull-tags", PullScenarios::tags);
        scenarios.put("pull-commits-offset", PullScenarios::commitsOffset);
        scenarios.put("long-polling", PullScenarios::longPolling);
        scenarios.put("lite-pull-subscribe", PullScenarios::litePullSubscribe);
        scenarios.put("lite-pull-assign", PullScenarios::litePullAssign);
    }

    /** A pull that carries its own subscription and does not wait. */
    static RemotingCommand pull(Run run, String group, String topic, int queueId, long offset, int count, String tags)
        throws Exception {
        return pull(run, group, topic, queueId, offset, count, tags, 0);
    }

    static RemotingCommand pull(Run run, String group, String topic, int queueId, long offset, int count, String tags,
        long suspendMs) throws Exception {
        int sysFlag = PullSysFlag.buildSysFlag(false, suspendMs > 0, true, false);
        return run.wire().call(run.broker, RequestCode.PULL_MESSAGE,
            "consumerGroup", group, "topic", topic, "queueId", queueId, "queueOffset", offset, "maxMsgNums", count,
            "sysFlag", sysFlag, "commitOffset", 0, "suspendTimeoutMillis", suspendMs, "subscription", tags,
            "subVersion", 0, "expressionType", "TAG");
    }

    static Map<String, Object> facts(RemotingCommand answer) {
        Map<String, Object> facts = Facts.answer(answer);
        List<Long> offsets = new ArrayList<>();
        if (answer.getBody() != null && answer.getCode() == 0) {
            Facts.records(answer).forEach(message -> offsets.add(message.getQueueOffset()));
        }
        facts.put("messages", offsets.isEmpty() ? "none"
            : offsets.size() + ": " + offsets.get(0) + "…" + offsets.get(offsets.size() - 1));
        return facts;
    }

    private static void answers(Run run) throws Exception {
        run.createTopic(run.topic(), 2);
        run.send(run.producer(), run.topic(), "m", 10, 1);
        String group = run.group();
        run.saw("found", facts(pull(run, group, run.topic(), 0, 0, 32, "*")));
        run.saw("found from the middle", facts(pull(run, group, run.topic(), 0, 7, 32, "*")));
        run.saw("at the end", facts(pull(run, group, run.topic(), 0, 10, 32, "*")));
        run.saw("past the end", facts(pull(run, group, run.topic(), 0, 11, 32, "*")));
        run.saw("far past the end", facts(pull(run, group, run.topic(), 0, 1_000_000, 32, "*")));
        run.saw("before the start", facts(pull(run, group, run.topic(), 0, -1, 32, "*")));
        run.saw("empty queue", facts(pull(run, group, run.topic(), 1, 0, 32, "*")));
        run.saw("empty queue, offset 5", facts(pull(run, group, run.topic(), 1, 5, 32, "*")));
        run.saw("no such queue", facts(pull(run, group, run.topic(), 2, 0, 32, "*")));
        run.saw("negative queue", facts(pull(run, group, run.topic(), -1, 0, 32, "*")));
        run.saw("no such topic", facts(pull(run, group, run.topic("missing"), 0, 0, 32, "*")));
        run.saw("none wanted", facts(pull(run, group, run.topic(), 0, 0, 0, "*")));
        run.saw("tag without messages", facts(pull(run, group, run.topic(), 0, 0, 32, "none")));
        run.saw("subscription that does not parse", facts(pull(run, group, run.topic(), 0, 0, 32, "||")));
        int withoutSubscription = PullSysFlag.buildSysFlag(false, false, false, false);
        run.saw("without subscription, group never heard of", facts(run.wire().call(run.broker,
            RequestCode.PULL_MESSAGE, "consumerGroup", run.group("unheard"), "topic", run.topic(), "queueId", 0,
            "queueOffset", 0, "maxMsgNums", 1, "sysFlag", withoutSubscription, "commitOffset", 0,
            "suspendTimeoutMillis", 0, "subVersion", 0)));
        run.saw("lite pull", facts(run.wire().call(run.broker, RequestCode.LITE_PULL_MESSAGE,
            "consumerGroup", group, "topic", run.topic(), "queueId", 0, "queueOffset", 3, "maxMsgNums", 2,
            "sysFlag", PullSysFlag.buildSysFlag(false, false, true, false, true), "commitOffset", 0,
            "suspendTimeoutMillis", 0, "subscription", "*", "subVersion", 0)));
        run.saw("required field missing", run.wire().call(run.broker, RequestCode.PULL_MESSAGE,
            "consumerGroup", group, "topic", run.topic()).getCode());
    }

    private static void limits(Run run) throws Exception {
        run.createTopic(run.topic("small"), 1);
        run.createTopic(run.topic("big"), 1);
        DefaultMQProducer producer = run.producer();
        run.send(producer, run.topic("small"), "m", 100, 1);
        producer.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        for (int i = 0; i < 8; i++) {
            producer.send(new Message(run.topic("big"), new byte[100_000]));
        }
        String group = run.group();
        run.saw("100 small wanted", facts(pull(run, group, run.topic("small"), 0, 0, 100, "*")));
        run.saw("5 small wanted", facts(pull(run, group, run.topic("small"), 0, 0, 5, "*")));
        run.saw("32 of 100 kB wanted", facts(pull(run, group, run.topic("big"), 0, 0, 32, "*")));
    }

    /** The broker compares hashes of tags only, so that one of the same hash comes along; the client drops it. */
    private static void tags(Run run) throws Exception {
        run.createTopic(run.topic(), 1);
        DefaultMQProducer producer = run.producer();
        for (String tag : new String[] {"A", "B", "Aa", "BB", "A", "C", "", "B"}) {
            producer.send(new Message(run.topic(), tag, ("tag " + tag).getBytes(StandardCharsets.UTF_8)));
        }
        String group = run.group();
        for (String expression : new String[] {"A", "A || B", "Aa", "B||C", "*", "", "Z", " A  ||  Z "}) {
            RemotingCommand pulled = pull(run, group, run.topic(), 0, 0, 32, expression);
            List<String> bodies = new ArrayList<>();
            if (pulled.getCode() == 0) {
                Facts.records(pulled).forEach(message -> bodies.add(Inbox.text(message)));
            }
            Map<String, Object> facts = facts(pulled);
            facts.put("bodies", bodies);
            run.saw("'" + expression + "'", facts);
        }
    }

    private static void commitsOffset(Run run) throws Exception {
        run.createTopic(run.topic(), 1);
        run.send(run.producer(), run.topic(), "m", 10, 1);
        String group = run.group();
        run.wire().call(run.broker, RequestCode.PULL_MESSAGE, "consumerGroup", group, "topic", run.topic(),
            "queueId", 0, "queueOffset", 5, "maxMsgNums", 1,
            "sysFlag", PullSysFlag.buildSysFlag(true, false, true, false), "commitOffset", 4,
            "suspendTimeoutMillis", 0, "subscription", "*", "subVersion", 0);
        run.saw("committed with the pull", Facts.answer(run.wire().call(run.broker, RequestCode.QUERY_CONSUMER_OFFSET,
            "consumerGroup", group, "topic", run.topic(), "queueId", 0)));
    }

    private static void longPolling(Run run) throws Exception {
        run.createTopic(run.topic(), 1);
        String group = run.group();
        long start = System.nanoTime();
        run.saw("timed out", facts(pull(run, group, run.topic(), 0, 0, 32, "*", 1500)));
        long waitedMs = (System.nanoTime() - start) / 1_000_000;
        run.expect(waitedMs >= 1400 && waitedMs < 8000, "an empty pull is held for its time, not " + waitedMs + " ms");

        DefaultMQProducer producer = run.producer();
        CompletableFuture<RemotingCommand> held = holding(run, group, 0, "*");
        Thread.sleep(300);
        run.expect(!held.isDone(), "a pull at the end is held");
        producer.send(new Message(run.topic(), "wake", "first".getBytes(StandardCharsets.UTF_8)));
        long sent = System.nanoTime();
        run.saw("woken", facts(held.get(10, TimeUnit.SECONDS)));
        long latencyMs = (System.nanoTime() - sent) / 1_000_000;
        run.expect(latencyMs < 1000, "a held pull is answered with the message, not after " + latencyMs + " ms");

        CompletableFuture<RemotingCommand> tagged = holding(run, group, 1, "wanted");
        Thread.sleep(200);
        producer.send(new Message(run.topic(), "other", "second".getBytes(StandardCharsets.UTF_8)));
        Thread.sleep(500);
        run.saw("another tag leaves it held", !tagged.isDone());
        producer.send(new Message(run.topic(), "wanted", "third".getBytes(StandardCharsets.UTF_8)));
        run.saw("its tag wakes it", facts(tagged.get(10, TimeUnit.SECONDS)));
    }

    private static CompletableFuture<RemotingCommand> holding(Run run, String group, long offset, String tags) {
        return CompletableFuture.supplyAsync(() -> {
            try {
                return pull(run, group, run.topic(), 0, offset, 32, tags, 15_000);
            } catch (Exception trouble) {
                throw new IllegalStateException(trouble);
            }
        });
    }

    private static void litePullSubscribe(Run run) throws Exception {
        run.createTopic(run.topic(), 4);
        run.send(run.producer(), run.topic(), "m", 80, 4);
        DefaultLitePullConsumer consumer = run.newLitePullConsumer(run.group());
        consumer.subscribe(run.topic(), "*");
        consumer.setAutoCommit(false);
        consumer.start();
        Inbox inbox = new Inbox();
        run.awaitOrFail(40, "80 messages are polled", () -> {
            inbox.add(consumer.poll(500));
            return inbox.count() >= 80;
        });
        run.saw("polled", inbox.count());
        run.saw("distinct", inbox.bodies().size());
        run.saw("assignment", consumer.assignment().size());
        consumer.commit();
        MessageQueue queue = run.queue(run.topic(), 0);
        run.awaitOrFail(15, "the commit reaches the broker", () -> consumer.committed(queue) == 20);
        run.saw("committed", consumer.committed(queue));
    }

    private static void litePullAssign(Run run) throws Exception {
        run.createTopic(run.topic(), 2);
        DefaultMQProducer producer = run.producer();
        run.send(producer, run.topic(), "m", 40, 2);
        DefaultLitePullConsumer consumer = run.newLitePullConsumer(run.group());
        consumer.setAutoCommit(false);
        consumer.start();
        run.saw("queues", new java.util.TreeSet<>(consumer.fetchMessageQueues(run.topic())).size());
        MessageQueue queue = run.queue(run.topic(), 1);
        consumer.assign(List.of(queue));
        // First all that is there: the client may hand out what a pull brings that was under way when it was told to seek.
        Inbox first = new Inbox();
        run.awaitOrFail(30, "the queue is polled", () -> {
            first.add(consumer.poll(500));
            return first.count() >= 20;
        });
        consumer.seek(queue, 15);
        Inbox inbox = new Inbox();
        run.awaitOrFail(30, "the rest of the queue is polled", () -> {
            inbox.add(consumer.poll(500));
            return inbox.count() >= 5;
        });
        run.saw("after seek 15", inbox.bodiesByQueue());
        consumer.seekToBegin(queue);
        Inbox again = new Inbox();
        run.awaitOrFail(30, "the whole queue is polled", () -> {
            again.add(consumer.poll(500));
            return again.count() >= 20;
        });
        run.saw("after seek to begin", again.bodies().size());
        consumer.seekToEnd(queue);
        producer.send(new Message(run.topic(), "new".getBytes(StandardCharsets.UTF_8)), queue);
        Inbox end = new Inbox();
        run.awaitOrFail(30, "the new message is polled", () -> {
            end.add(consumer.poll(500));
            return end.bodies().contains("new");
        });
        Map<String, Object> last = new TreeMap<>();
        List<MessageExt> all = end.all();
        last.put("body", Inbox.text(all.get(all.size() - 1)));
        last.put("queueOffset", all.get(all.size() - 1).getQueueOffset());
        run.saw("after seek to end", last);
        run.saw("offset for time 0", consumer.offsetForTimestamp(queue, 0L));
        run.saw("offset for the future", consumer.offsetForTimestamp(queue, System.currentTimeMillis() + 3_600_000));
    }
}
