package liftmq.compat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;
import org.apache.rocketmq.remoting.protocol.RequestCode;

/** Send-back, retry topics, dead letters, and the delay levels behind them (the broker runs with short levels). */
final class RetryScenarios {
    private RetryScenarios() {
    }

    static void register(Map<String, Scenario> scenarios) {
        scenarios.put("retry-and-dead-letter", RetryScenarios::retryAndDeadLetter);
        scenarios.put("send-back", RetryScenarios::sendBack);
        scenarios.put("delay-level", RetryScenarios::delayLevel);
    }

    private static Map<String, Object> facts(MessageExt message) {
        Map<String, Object> facts = Facts.message(message);
        facts.put("body", Inbox.text(message));
        facts.put("queueId", message.getQueueId());
        facts.put("queueOffset", message.getQueueOffset());
        return facts;
    }

    /** A listener that never succeeds: two retries, then the dead-letter queue. */
    private static void retryAndDeadLetter(Run run) throws Exception {
        run.createTopic(run.topic(), 1);
        DefaultMQProducer producer = run.producer();
        List<MessageExt> tries = java.util.Collections.synchronizedList(new ArrayList<>());
        DefaultMQPushConsumer consumer = run.newPushConsumer(run.group());
        consumer.subscribe(run.topic(), "*");
        consumer.setMaxReconsumeTimes(2);
        consumer.registerMessageListener((MessageListenerConcurrently) (batch, context) -> {
            tries.addAll(batch);
            return ConsumeConcurrentlyStatus.RECONSUME_LATER;
        });
        consumer.start();
        producer.send(new Message(run.topic(), "tag", "key", "poison".getBytes()));
        run.awaitOrFail(60, "the message is tried three times", () -> tries.size() >= 3);
        String dlq = "%DLQ%" + run.group();
        run.awaitOrFail(30, "it ends in the dead-letter queue", () -> {
            RemotingCommand pulled = PullScenarios.pull(run, run.group("dlq"), dlq, 0, 0, 1, "*");
            return pulled.getCode() == 0;
        });
        List<Object> seen = new ArrayList<>();
        tries.forEach(message -> seen.add(facts(message)));
        run.saw("tries", seen);
        RemotingCommand pulled = PullScenarios.pull(run, run.group("dlq"), dlq, 0, 0, 32, "*");
        List<Object> dead = new ArrayList<>();
        Facts.records(pulled).forEach(message -> dead.add(facts(message)));
        run.saw("dead letters", dead);
        run.saw("retry topic", Facts.json(run.admin().examineTopicConfig(run.broker, "%RETRY%" + run.group())));
        run.saw("dead-letter topic", Facts.json(run.admin().examineTopicConfig(run.broker, dlq)));
    }

    /** The request itself, with the levels that a client may ask for. */
    private static void sendBack(Run run) throws Exception {
        run.createTopic(run.topic(), 1);
        run.send(run.producer(), run.topic(), "m", 1, 1);
        MessageExt message = Facts.records(PullScenarios.pull(run, run.group(), run.topic(), 0, 0, 1, "*"))
            .iterator().next();
        run.saw("level 1", back(run, run.group(), message.getCommitLogOffset(), 1, null));
        String retry = "%RETRY%" + run.group();
        run.awaitOrFail(30, "the first retry becomes visible", () -> run.admin().maxOffset(run.queue(retry, 0)) == 1);
        run.saw("level 0", back(run, run.group(), message.getCommitLogOffset(), 0, null));
        run.saw("level -1", back(run, run.group(), message.getCommitLogOffset(), -1, null));
        run.saw("max 0", back(run, run.group(), message.getCommitLogOffset(), 1, 0));
        run.saw("unknown group", back(run, run.group("unknown"), message.getCommitLogOffset(), 1, null));
        run.saw("no message there", back(run, run.group(), message.getCommitLogOffset() + 1, 1, null));
        run.saw("past the log", back(run, run.group(), 1L << 40, 1, null));
        run.awaitOrFail(30, "both retries become visible", () ->
            run.admin().maxOffset(run.queue(retry, 0)) >= 2);
        List<Object> retries = new ArrayList<>();
        Facts.records(PullScenarios.pull(run, run.group(), retry, 0, 0, 32, "*")).forEach(m -> retries.add(facts(m)));
        run.saw("retry topic", retries);
        List<Object> dead = new ArrayList<>();
        Facts.records(PullScenarios.pull(run, run.group(), "%DLQ%" + run.group(), 0, 0, 32, "*"))
            .forEach(m -> dead.add(facts(m)));
        run.saw("dead letters", dead);
    }

    private static Object back(Run run, String group, long offset, int level, Integer max) throws Exception {
        return Facts.answer(run.wire().call(run.broker, RequestCode.CONSUMER_SEND_MSG_BACK, "group", group,
            "offset", offset, "delayLevel", level, "originMsgId", "ID", "originTopic", run.topic(),
            "unitMode", false, "maxReconsumeTimes", max));
    }

    private static void delayLevel(Run run) throws Exception {
        run.createTopic(run.topic(), 1);
        DefaultMQProducer producer = run.producer();
        Map<Integer, Object> seen = new TreeMap<>();
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer consumer = run.newPushConsumer(run.group());
        consumer.subscribe(run.topic(), "*");
        inbox.receive(consumer);
        consumer.start();
        for (int level : new int[] {2, 99}) {
            Message message = new Message(run.topic(), ("level " + level).getBytes());
            message.setDelayTimeLevel(level);
            SendResult result = producer.send(message);
            seen.put(level, result.getSendStatus());
        }
        run.saw("sends", seen);
        run.awaitOrFail(40, "both arrive", () -> inbox.count() == 2);
        Map<String, Object> received = new TreeMap<>();
        for (MessageExt message : inbox.all()) {
            Map<String, Object> facts = Facts.message(message);
            received.put(Inbox.text(message), facts);
            long heldMs = message.getStoreTimestamp() - message.getBornTimestamp();
            run.expect(heldMs >= 1900, "level 2 and the last level hold for 2 s, not " + heldMs + " ms");
        }
        run.saw("received", received);
    }
}
