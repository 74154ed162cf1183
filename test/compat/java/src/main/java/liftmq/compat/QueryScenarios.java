package liftmq.compat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.protocol.RequestCode;
import org.apache.rocketmq.remoting.protocol.admin.ConsumeStats;
import org.apache.rocketmq.remoting.protocol.body.ClusterInfo;

/** What is asked about messages, topics, groups and the cluster. */
final class QueryScenarios {
    private QueryScenarios() {
    }

    static void register(Map<String, Scenario> scenarios) {
        scenarios.put("query-messages", QueryScenarios::messages);
        scenarios.put("cluster-info", QueryScenarios::cluster);
        scenarios.put("topic-status", QueryScenarios::topicStatus);
        scenarios.put("group-status", QueryScenarios::groupStatus);
    }

    private static void messages(Run run) throws Exception {
        run.createTopic(run.topic(), 1);
        DefaultMQProducer producer = run.producer();
        List<SendResult> results = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            results.add(producer.send(new Message(run.topic(), "tag", "same own" + i, ("m" + i).getBytes())));
        }
        long end = System.currentTimeMillis() + 60_000;
        long begin = end - 600_000;
        run.awaitOrFail(10, "the index holds all of them", () -> run.wire().call(run.broker,
            RequestCode.QUERY_MESSAGE, "topic", run.topic(), "key", "own4", "maxNum", 32, "beginTimestamp", begin,
            "endTimestamp", end).getCode() == 0);
        run.saw("by a key of all", bodies(producer.queryMessage(run.topic(), "same", 32, begin, end).getMessageList()));
        run.saw("at most 2", producer.queryMessage(run.topic(), "same", 2, begin, end).getMessageList().size());
        run.saw("by a key of one", bodies(producer.queryMessage(run.topic(), "own3", 32, begin, end).getMessageList()));
        run.saw("by unique key", Inbox.text(producer.viewMessage(run.topic(), results.get(2).getMsgId())));
        run.saw("by offset id", Inbox.text(run.admin().viewMessage(run.topic(), results.get(1).getOffsetMsgId())));
        run.saw("by unique key, raw", Facts.answer(run.wire().call(run.broker, RequestCode.QUERY_MESSAGE,
            "topic", run.topic(), "key", results.get(2).getMsgId(), "maxNum", 32, "beginTimestamp", begin,
            "endTimestamp", end, "_UNIQUE_KEY_QUERY", "true")));
        run.saw("outside of the time", run.wire().call(run.broker, RequestCode.QUERY_MESSAGE, "topic", run.topic(),
            "key", "same", "maxNum", 32, "beginTimestamp", 1000, "endTimestamp", 2000).getCode());
    }

    private static TreeSet<String> bodies(List<MessageExt> messages) {
        TreeSet<String> bodies = new TreeSet<>();
        messages.forEach(message -> bodies.add(Inbox.text(message)));
        return bodies;
    }

    private static void cluster(Run run) throws Exception {
        ClusterInfo info = run.admin().examineBrokerClusterInfo();
        run.saw("clusters", info.getClusterAddrTable());
        Map<String, Object> brokers = new TreeMap<>();
        info.getBrokerAddrTable().forEach((name, data) -> {
            Map<String, Object> facts = new TreeMap<>();
            facts.put("cluster", data.getCluster());
            facts.put("ids", new TreeSet<>(data.getBrokerAddrs().keySet()));
            facts.put("masterIsBroker", run.broker.equals(data.getBrokerAddrs().get(0L)));
            brokers.put(name, facts);
        });
        run.saw("brokers", brokers);
        TreeSet<String> topics = new TreeSet<>();
        run.awaitOrFail(40, "the name server lists the broker's own topics", () -> {
            topics.addAll(run.admin().fetchAllTopicList().getTopicList());
            return topics.contains("SELF_TEST_TOPIC");
        });
        topics.removeIf(topic -> topic.startsWith("T-") || topic.startsWith("%") || topic.startsWith("nnn"));
        run.saw("topics without our own", topics);
    }

    private static void topicStatus(Run run) throws Exception {
        run.createTopic(run.topic(), 2);
        run.send(run.producer(), run.topic(), "m", 5, 1);
        Map<String, Object> queues = new TreeMap<>();
        run.awaitOrFail(10, "the status shows all messages", () -> run.admin().examineTopicStats(run.topic())
            .getOffsetTable().get(run.queue(run.topic(), 0)).getMaxOffset() == 5);
        run.admin().examineTopicStats(run.topic()).getOffsetTable().forEach((queue, offset) ->
            queues.put(queue.getBrokerName() + " " + queue.getQueueId(), offset.getMinOffset() + "…"
                + offset.getMaxOffset() + (offset.getLastUpdateTimestamp() > 0 ? ", updated" : "")));
        run.saw("queues", queues);
    }

    private static void groupStatus(Run run) throws Exception {
        run.createTopic(run.topic(), 2);
        DefaultMQProducer producer = run.producer();
        run.send(producer, run.topic(), "m", 10, 2);
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer consumer = run.newPushConsumer(run.group());
        consumer.subscribe(run.topic(), "*");
        inbox.receive(consumer);
        consumer.start();
        run.awaitOrFail(30, "all are consumed", () -> inbox.count() >= 10);
        var connection = run.admin().examineConsumerConnectionInfo(run.group());
        run.saw("connections", connection.getConnectionSet().size());
        run.saw("consume type", connection.getConsumeType());
        run.saw("message model", connection.getMessageModel());
        run.saw("subscribed topics", new TreeSet<>(connection.getSubscriptionTable().keySet()));
        consumer.shutdown();
        run.awaitOrFail(15, "offsets are committed when it leaves", () -> {
            ConsumeStats stats = run.admin().examineConsumeStats(run.group());
            return stats.computeTotalDiff() == 0;
        });
        Map<String, Object> queues = new TreeMap<>();
        run.admin().examineConsumeStats(run.group()).getOffsetTable().forEach((queue, offset) -> {
            if (queue.getTopic().equals(run.topic())) {
                queues.put(String.valueOf(queue.getQueueId()), offset.getConsumerOffset() + " of " + offset.getBrokerOffset());
            }
        });
        run.saw("progress", queues);
    }
}
