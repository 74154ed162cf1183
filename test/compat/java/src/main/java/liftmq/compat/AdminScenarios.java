package liftmq.compat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.tools.command.MQAdminStartup;

/** mqadmin as operators call it: what it prints, with addresses, ids, times and rates replaced. */
final class AdminScenarios {
    private static final PrintStream CONSOLE = System.out;

    private AdminScenarios() {
    }

    static void register(Map<String, Scenario> scenarios) {
        scenarios.put("mqadmin-topics", AdminScenarios::topics);
        scenarios.put("mqadmin-messages", AdminScenarios::messages);
        scenarios.put("mqadmin-groups", AdminScenarios::groups);
        scenarios.put("mqadmin-cluster", AdminScenarios::cluster);
    }

    /** Runs one command line; these scenarios run one at a time, since the tool writes to standard output. */
    private static String run(String... line) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        PrintStream captured = new PrintStream(bytes, true, StandardCharsets.UTF_8);
        System.setOut(captured);
        System.setErr(captured);
        try {
            MQAdminStartup.main0(line, null);
        } finally {
            System.setOut(CONSOLE);
            System.setErr(CONSOLE);
        }
        return bytes.toString(StandardCharsets.UTF_8);
    }

    private static List<String> admin(Run run, String... line) {
        List<String> words = new ArrayList<>(List.of(line));
        words.add("-n");
        words.add(run.namesrv);
        List<String> lines = new ArrayList<>();
        for (String text : run(words.toArray(String[]::new)).split("\n")) {
            String normal = normal(run, text);
            if (!normal.isEmpty() && !normal.contains("|-") && !normal.startsWith("RocketMQLog")) {
                lines.add(normal);
            }
        }
        return lines;
    }

    private static String normal(Run run, String line) {
        return line
            .replaceAll("\\s+", " ")
            .replace(run.broker, "<broker>")
            .replaceAll("\\d{4}-\\d\\d-\\d\\d[ #]\\d\\d:\\d\\d:\\d\\d([,.:]\\d+)?", "<time>")
            .replaceAll("\\b[0-9A-F]{32}\\b", "<id>")
            .replaceAll("127\\.0\\.0\\.1:\\d+", "<client>")
            .replaceAll("127\\.0\\.0\\.1@[\\w#.-]+", "<client id>")
            .replaceAll("\\b\\d{13}\\b", "<ms>")
            .replaceAll("(CommitLog Offset: |commitLogOffset=|<id>@)\\d+", "$1<offset>")
            .replaceAll("TPS: [\\d.]+", "TPS: <rate>")
            .trim();
    }

    private static void topics(Run run) throws Exception {
        String topic = run.topic();
        run.saw("updateTopic", admin(run, "updateTopic", "-b", run.broker, "-t", topic, "-r", "3", "-w", "3"));
        run.awaitOrFail(10, "the topic is known", () -> admin(run, "topicList").contains(topic));
        run.saw("topicRoute", admin(run, "topicRoute", "-t", topic));
        run.saw("topicRoute -l", admin(run, "topicRoute", "-t", topic, "-l"));
        run.saw("topicClusterList", admin(run, "topicClusterList", "-t", topic));
        DefaultMQProducer producer = run.producer();
        run.send(producer, topic, "m", 6, 3);
        run.awaitOrFail(10, "all are visible", () -> run.admin().maxOffset(run.queue(topic, 2)) == 2);
        run.saw("topicStatus", admin(run, "topicStatus", "-t", topic));
        run.saw("updateTopicPerm", admin(run, "updateTopicPerm", "-b", run.broker, "-t", topic, "-p", "4"));
        run.saw("updateTopic by cluster", admin(run, "updateTopic", "-c", Run.CLUSTER, "-t", topic, "-r", "4", "-w", "4"));
        run.saw("deleteTopic", admin(run, "deleteTopic", "-t", topic, "-c", Run.CLUSTER));
        run.awaitOrFail(10, "it is gone", () -> !admin(run, "topicList").contains(topic));
    }

    private static void messages(Run run) throws Exception {
        String topic = run.topic();
        run.createTopic(topic, 1);
        DefaultMQProducer producer = run.producer();
        SendResult sent = producer.send(new Message(topic, "tag", "key", "body".getBytes(StandardCharsets.UTF_8)));
        run.awaitOrFail(10, "the index has it", () ->
            !producer.queryMessage(topic, "key", 1, 0, System.currentTimeMillis() + 60_000).getMessageList().isEmpty());
        run.saw("queryMsgByKey", admin(run, "queryMsgByKey", "-t", topic, "-k", "key"));
        run.saw("queryMsgById, offset id", admin(run, "queryMsgById", "-t", topic, "-i", sent.getOffsetMsgId()));
        run.saw("queryMsgById, unique key", admin(run, "queryMsgById", "-t", topic, "-i", sent.getMsgId()));
        run.saw("queryMsgByUniqueKey", admin(run, "queryMsgByUniqueKey", "-t", topic, "-i", sent.getMsgId()));
        run.saw("queryMsgByOffset", admin(run, "queryMsgByOffset", "-t", topic, "-b", Run.BROKER, "-i", "0", "-o", "0"));
        run.saw("sendMessage", admin(run, "sendMessage", "-t", topic, "-p", "from mqadmin", "-k", "k2", "-c", "t2"));
        run.saw("printMsg", admin(run, "printMsg", "-t", topic, "-d", "true"));
    }

    private static void groups(Run run) throws Exception {
        String topic = run.topic();
        run.createTopic(topic, 2);
        run.saw("updateSubGroup", admin(run, "updateSubGroup", "-b", run.broker, "-g", run.group(), "-r", "3"));
        run.saw("getConsumerConfig", admin(run, "getConsumerConfig", "-g", run.group()));
        DefaultMQProducer producer = run.producer();
        for (int i = 0; i < 10; i++) {
            producer.send(new Message(topic, "A", "m".getBytes(StandardCharsets.UTF_8)), run.queue(topic, i % 2));
        }
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer consumer = run.newPushConsumer(run.group());
        consumer.subscribe(topic, "A || B");
        inbox.receive(consumer);
        consumer.start();
        run.awaitOrFail(20, "the group is connected", () ->
            run.admin().examineConsumerConnectionInfo(run.group()).getConnectionSet().size() == 1);
        run.saw("consumerConnection", admin(run, "consumerConnection", "-g", run.group()));
        run.saw("producerConnection", admin(run, "producerConnection", "-g", "P-" + run.name, "-t", topic));
        run.awaitOrFail(20, "all are consumed", () -> inbox.count() == 10);
        consumer.shutdown();
        run.awaitOrFail(20, "the offsets are committed", () ->
            run.admin().examineConsumeStats(run.group()).computeTotalDiff() == 0);
        run.saw("consumerProgress", admin(run, "consumerProgress", "-g", run.group()));
        run.saw("deleteSubGroup", admin(run, "deleteSubGroup", "-b", run.broker, "-g", run.group()));
    }

    private static void cluster(Run run) throws Exception {
        List<String> cluster = admin(run, "clusterList");
        run.saw("clusterList, heading", cluster.isEmpty() ? "" : cluster.get(0));
        String row = cluster.size() < 2 ? "" : cluster.get(1);
        run.saw("clusterList, columns", row.split(" ").length);
        run.expect(row.startsWith("DefaultCluster broker-a 0 <broker>"), "clusterList shows the broker: " + cluster);
        List<String> more = admin(run, "clusterList", "-m");
        run.saw("clusterList -m, heading", more.isEmpty() ? "" : more.get(0));
        run.saw("clusterList -m, columns", more.size() < 2 ? 0 : more.get(1).split(" ").length);
        List<String> config = admin(run, "getBrokerConfig", "-b", run.broker);
        run.saw("getBrokerConfig, brokerName", config.stream().filter(line -> line.startsWith("brokerName ")).toList());
        run.saw("brokerStatus has a version", admin(run, "brokerStatus", "-b", run.broker).stream()
            .anyMatch(line -> line.startsWith("brokerVersionDesc")));
        run.saw("updateKvConfig", admin(run, "updateKvConfig", "-s", "NS", "-k", "K", "-v", "V"));
        run.saw("deleteKvConfig", admin(run, "deleteKvConfig", "-s", "NS", "-k", "K"));
        run.saw("wipeWritePerm", admin(run, "wipeWritePerm", "-b", Run.BROKER).size());
        run.saw("addWritePerm", admin(run, "addWritePerm", "-b", Run.BROKER).size());
    }
}
