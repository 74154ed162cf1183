package liftmq.compat;

import java.io.File;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.UtilAll;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.protocol.heartbeat.MessageModel;

/** Push consumers: concurrent, orderly, broadcasting, filtering, and groups whose members come and go. */
final class ConsumeScenarios {
    private ConsumeScenarios() {
    }

    static void register(Map<String, Scenario> scenarios) {
        scenarios.put("push-concurrent", ConsumeScenarios::concurrent);
        scenarios.put("push-orderly", ConsumeScenarios::orderly);
        scenarios.put("push-orderly-suspend", ConsumeScenarios::orderlySuspend);
        scenarios.put("broadcast", ConsumeScenarios::broadcast);
        scenarios.put("tag-filter", ConsumeScenarios::tagFilter);
        scenarios.put("consume-from-where", ConsumeScenarios::consumeFromWhere);
        scenarios.put("resume-at-committed-offset", ConsumeScenarios::resume);
        scenarios.put("rebalance-join-and-leave", ConsumeScenarios::joinAndLeave);
        scenarios.put("rebalance-member-dies", ConsumeScenarios::memberDies);
        scenarios.put("orderly-handover", ConsumeScenarios::orderlyHandover);
        scenarios.put("heartbeat-v2", ConsumeScenarios::heartbeatV2);
    }

    private static void concurrent(Run run) throws Exception {
        run.createTopic(run.topic(), 4);
        DefaultMQProducer producer = run.producer();
        run.send(producer, run.topic(), "before", 100, 4);
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer consumer = run.newPushConsumer(run.group());
        consumer.subscribe(run.topic(), "*");
        inbox.receive(consumer);
        consumer.start();
        run.awaitOrFail(30, "what was there is consumed", () -> inbox.count() >= 100);
        run.send(producer, run.topic(), "after", 100, 4);
        run.awaitOrFail(30, "what comes later is consumed", () -> inbox.count() >= 200);
        run.saw("received", inbox.count());
        run.saw("distinct", inbox.bodies().size());
        Map<Integer, Integer> perQueue = new TreeMap<>();
        inbox.bodiesByQueue().forEach((queue, bodies) -> perQueue.put(queue, bodies.size()));
        run.saw("perQueue", perQueue);
        MessageExt last = inbox.all().get(199);
        Map<String, Object> facts = Facts.message(last);
        run.saw("message", facts);
    }

    private static void orderly(Run run) throws Exception {
        run.createTopic(run.topic(), 4);
        run.send(run.producer(), run.topic(), "m", 100, 4);
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer consumer = run.newPushConsumer(run.group());
        consumer.subscribe(run.topic(), "*");
        inbox.receiveInOrder(consumer);
        consumer.start();
        run.awaitOrFail(60, "all are consumed", () -> inbox.count() >= 100);
        run.saw("received", inbox.count());
        run.saw("byQueue", inbox.bodiesByQueue());
    }

    /** A message that the listener cannot take yet stops its queue, and no message overtakes it. */
    private static void orderlySuspend(Run run) throws Exception {
        run.createTopic(run.topic(), 1);
        run.send(run.producer(), run.topic(), "m", 5, 1);
        List<String> order = java.util.Collections.synchronizedList(new ArrayList<>());
        DefaultMQPushConsumer consumer = run.newPushConsumer(run.group());
        consumer.subscribe(run.topic(), "*");
        consumer.setSuspendCurrentQueueTimeMillis(200);
        AtomicInteger refusals = new AtomicInteger();
        consumer.registerMessageListener((MessageListenerOrderly) (batch, context) -> {
            String body = Inbox.text(batch.get(0));
            order.add(body);
            boolean refused = body.equals("m2") && refusals.incrementAndGet() <= 2;
            return refused ? ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT : ConsumeOrderlyStatus.SUCCESS;
        });
        consumer.start();
        run.awaitOrFail(60, "the queue goes on in the end", () -> order.contains("m4"));
        run.saw("order", new ArrayList<>(order));
    }

    private static void broadcast(Run run) throws Exception {
        run.createTopic(run.topic(), 4);
        DefaultMQProducer producer = run.producer();
        List<Inbox> inboxes = List.of(new Inbox(), new Inbox());
        for (Inbox inbox : inboxes) {
            DefaultMQPushConsumer consumer = run.newPushConsumer(run.group());
            consumer.setMessageModel(MessageModel.BROADCASTING);
            consumer.subscribe(run.topic(), "*");
            inbox.receive(consumer);
            consumer.start();
        }
        run.send(producer, run.topic(), "m", 40, 4);
        for (Inbox inbox : inboxes) {
            run.awaitOrFail(40, "each consumer receives all", () -> inbox.count() >= 40);
        }
        run.saw("first", inboxes.get(0).bodies().size());
        run.saw("second", inboxes.get(1).bodies().size());
    }

    private static void tagFilter(Run run) throws Exception {
        run.createTopic(run.topic(), 2);
        DefaultMQProducer producer = run.producer();
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer consumer = run.newPushConsumer(run.group());
        consumer.subscribe(run.topic(), "A || Aa");
        inbox.receive(consumer);
        consumer.start();
        // "Aa" and "BB" have the same hash: the broker lets both pass, and the client drops the other one.
        for (String tag : new String[] {"A", "B", "Aa", "BB", "C", "A"}) {
            producer.send(new Message(run.topic(), tag, tag.getBytes(StandardCharsets.UTF_8)));
        }
        run.awaitOrFail(30, "three messages match", () -> inbox.count() >= 3);
        Thread.sleep(1000);
        List<String> bodies = new ArrayList<>();
        inbox.all().forEach(message -> bodies.add(Inbox.text(message)));
        bodies.sort(null);
        run.saw("received", bodies);
    }

    private static void consumeFromWhere(Run run) throws Exception {
        run.createTopic(run.topic(), 1);
        DefaultMQProducer producer = run.producer();
        run.send(producer, run.topic(), "old", 5, 1);
        Thread.sleep(2100);
        long middle = System.currentTimeMillis();
        Thread.sleep(100);
        run.send(producer, run.topic(), "young", 5, 1);
        Map<String, Inbox> inboxes = new TreeMap<>();
        for (ConsumeFromWhere where : new ConsumeFromWhere[] {ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET,
            ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET, ConsumeFromWhere.CONSUME_FROM_TIMESTAMP}) {
            Inbox inbox = new Inbox();
            DefaultMQPushConsumer consumer = run.newPushConsumer(run.group(where.name()));
            consumer.setConsumeFromWhere(where);
            consumer.setConsumeTimestamp(UtilAll.timeMillisToHumanString3(middle));
            consumer.subscribe(run.topic(), "*");
            inbox.receive(consumer);
            consumer.start();
            inboxes.put(where.name(), inbox);
        }
        Thread.sleep(3000);
        run.send(producer, run.topic(), "new", 1, 1);
        for (Map.Entry<String, Inbox> entry : inboxes.entrySet()) {
            Inbox inbox = entry.getValue();
            run.awaitOrFail(30, entry.getKey() + " receives the newest", () -> inbox.bodies().contains("new0"));
            run.saw(entry.getKey(), new ArrayList<>(inbox.bodies()));
        }
    }

    private static void resume(Run run) throws Exception {
        run.createTopic(run.topic(), 1);
        DefaultMQProducer producer = run.producer();
        run.send(producer, run.topic(), "a", 10, 1);
        Inbox first = new Inbox();
        DefaultMQPushConsumer consumer = run.newPushConsumer(run.group());
        consumer.subscribe(run.topic(), "*");
        first.receive(consumer);
        consumer.start();
        run.awaitOrFail(30, "the first consumer receives ten", () -> first.count() == 10);
        Thread.sleep(200);
        consumer.shutdown();
        run.send(producer, run.topic(), "b", 5, 1);
        Inbox second = new Inbox();
        DefaultMQPushConsumer successor = run.newPushConsumer(run.group());
        successor.subscribe(run.topic(), "*");
        second.receive(successor);
        successor.start();
        run.awaitOrFail(40, "the second consumer receives the rest", () -> second.count() >= 5);
        Thread.sleep(500);
        run.saw("first", first.bodies().size());
        run.saw("second", new ArrayList<>(second.bodies()));
    }

    private static int queueCount(DefaultMQPushConsumer consumer, String topic) {
        return (int) consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable().keySet()
            .stream().filter(queue -> queue.getTopic().equals(topic)).count();
    }

    private static void joinAndLeave(Run run) throws Exception {
        run.createTopic(run.topic(), 8);
        DefaultMQProducer producer = run.producer();
        List<Inbox> inboxes = List.of(new Inbox(), new Inbox());
        List<DefaultMQPushConsumer> consumers = new ArrayList<>();
        for (Inbox inbox : inboxes) {
            DefaultMQPushConsumer consumer = run.newPushConsumer(run.group());
            consumer.subscribe(run.topic(), "*");
            inbox.receive(consumer);
            consumers.add(consumer);
        }
        consumers.get(0).start();
        run.awaitOrFail(30, "alone it has all queues", () -> queueCount(consumers.get(0), run.topic()) == 8);
        consumers.get(1).start();
        // Well below the client's own round of 20 s: the broker has to tell the first consumer.
        run.awaitOrFail(15, "two consumers share the queues", () -> queueCount(consumers.get(0), run.topic()) == 4
            && queueCount(consumers.get(1), run.topic()) == 4);
        run.send(producer, run.topic(), "m", 80, 8);
        run.awaitOrFail(30, "together they receive all", () -> inboxes.get(0).count() + inboxes.get(1).count() >= 80);
        run.saw("shares", List.of(inboxes.get(0).bodies().size(), inboxes.get(1).bodies().size()));
        consumers.get(1).shutdown();
        run.awaitOrFail(15, "the one that stays has all queues", () -> queueCount(consumers.get(0), run.topic()) == 8);
        run.send(producer, run.topic(), "n", 80, 8);
        run.awaitOrFail(30, "it receives all", () ->
            inboxes.get(0).bodies().stream().filter(body -> body.startsWith("n")).count() == 80);
    }

    /** A process of its own that is a member of the group until it is killed. */
    static void groupMember(String namesrv, String group, String topic, String instance) throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group);
        consumer.setNamesrvAddr(namesrv);
        consumer.setInstanceName(instance);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        new Inbox().receiveInOrder(consumer);
        consumer.start();
        System.in.read();
    }

    private static Process startMember(Run run) throws Exception {
        List<String> command = new ArrayList<>(List.of(
            System.getProperty("java.home") + File.separator + "bin" + File.separator + "java", "-Xmx128m",
            "-Duser.home=" + System.getProperty("user.home"), "-cp", System.getProperty("java.class.path"),
            Main.class.getName(), "member", run.namesrv, run.group(), run.topic(), "member"));
        Process process = new ProcessBuilder(command).redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .redirectError(ProcessBuilder.Redirect.DISCARD).start();
        run.closing(process::destroyForcibly);
        return process;
    }

    private static void memberDies(Run run) throws Exception {
        run.createTopic(run.topic(), 8);
        DefaultMQProducer producer = run.producer();
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer consumer = run.newPushConsumer(run.group());
        consumer.subscribe(run.topic(), "*");
        inbox.receiveInOrder(consumer);
        consumer.start();
        run.awaitOrFail(30, "alone it has all queues", () -> queueCount(consumer, run.topic()) == 8);
        Process member = startMember(run);
        run.awaitOrFail(40, "the member takes half of them", () -> queueCount(consumer, run.topic()) == 4);
        member.destroyForcibly().waitFor();
        run.awaitOrFail(15, "its queues come back", () -> queueCount(consumer, run.topic()) == 8);
        run.send(producer, run.topic(), "m", 40, 8);
        // Locks of a member that died without a word last 60 s; its queues are served after that.
        run.awaitOrFail(100, "all queues are served again", () -> inbox.bodies().size() == 40);
        run.saw("received", inbox.bodies().size());
    }

    /** The queue's order survives its move from one orderly consumer to another. */
    private static void orderlyHandover(Run run) throws Exception {
        run.createTopic(run.topic(), 2);
        DefaultMQProducer producer = run.producer();
        Map<Integer, List<Integer>> order = new ConcurrentHashMap<>();
        List<DefaultMQPushConsumer> consumers = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            DefaultMQPushConsumer consumer = run.newPushConsumer(run.group());
            consumer.subscribe(run.topic(), "*");
            consumer.setPullInterval(20);
            consumer.registerMessageListener((MessageListenerOrderly) (batch, context) -> {
                for (MessageExt message : batch) {
                    order.computeIfAbsent(message.getQueueId(), q -> java.util.Collections.synchronizedList(new ArrayList<>()))
                        .add(Integer.parseInt(Inbox.text(message)));
                }
                return ConsumeOrderlyStatus.SUCCESS;
            });
            consumers.add(consumer);
        }
        consumers.get(0).start();
        for (int i = 0; i < 600; i++) {
            producer.send(new Message(run.topic(), String.valueOf(i / 2).getBytes(StandardCharsets.UTF_8)),
                run.queue(run.topic(), i % 2));
            if (i == 200) {
                consumers.get(1).start();
            }
            if (i == 400) {
                consumers.get(0).shutdown();
            }
            Thread.sleep(i % 4 == 0 ? 20 : 5);
        }
        run.awaitOrFail(90, "all are consumed", () -> order.values().stream()
            .allMatch(queue -> new TreeSet<>(List.copyOf(queue)).size() == 300) && order.size() == 2);
        boolean inOrder = true;
        for (List<Integer> queue : order.values()) {
            int highest = -1;
            for (int value : List.copyOf(queue)) {
                // A message may come again after the move; none may be skipped.
                inOrder &= value <= highest + 1;
                highest = Math.max(highest, value);
            }
        }
        run.saw("no message was skipped", inOrder);
    }

    private static void heartbeatV2(Run run) throws Exception {
        run.createTopic(run.topic(), 2);
        DefaultMQProducer producer = run.producer();
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer consumer = run.newPushConsumer(run.group());
        consumer.setUseHeartbeatV2(true);
        consumer.setHeartbeatBrokerInterval(1000);
        consumer.subscribe(run.topic(), "A");
        inbox.receive(consumer);
        consumer.start();
        producer.send(new Message(run.topic(), "A", "first".getBytes(StandardCharsets.UTF_8)));
        run.awaitOrFail(30, "the first arrives", () -> inbox.count() == 1);
        Thread.sleep(3000);
        consumer.subscribe(run.topic(), "A || B");
        // A pull that is held keeps its tags, and passes over what they exclude, until its 15 s are over.
        Thread.sleep(17_000);
        producer.send(new Message(run.topic(), "B", "second".getBytes(StandardCharsets.UTF_8)));
        run.awaitOrFail(40, "the changed subscription counts", () -> inbox.count() == 2);
        run.saw("received", new ArrayList<>(inbox.bodies()));
        run.saw("subscriptions", new TreeSet<>(run.admin().examineConsumerConnectionInfo(run.group())
            .getSubscriptionTable().keySet()));
    }
}
