package liftmq.compat;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;

/** The broker goes away and comes back under a producer and consumers; each of these runs alone on its broker. */
final class RestartScenarios {
    private RestartScenarios() {
    }

    static void register(Map<String, Scenario> scenarios) {
        scenarios.put("restart-under-load", run -> underLoad(run, "restart"));
        scenarios.put("kill-under-load", run -> underLoad(run, "kill"));
        scenarios.put("restart-keeps-state", RestartScenarios::keepsState);
    }

    private static void underLoad(Run run, String how) throws Exception {
        run.createTopic(run.topic(), 4);
        DefaultMQProducer producer = run.producer();
        producer.setRetryTimesWhenSendFailed(5);
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer consumer = run.newPushConsumer(run.group());
        consumer.subscribe(run.topic(), "*");
        inbox.receive(consumer);
        consumer.start();
        AtomicBoolean stop = new AtomicBoolean();
        Set<String> acknowledged = new ConcurrentSkipListSet<>();
        Thread load = new Thread(() -> {
            for (int i = 0; !stop.get(); i++) {
                String body = String.format("m%06d", i);
                try {
                    if (producer.send(new Message(run.topic(), body.getBytes(StandardCharsets.UTF_8)))
                        .getSendStatus() == SendStatus.SEND_OK) {
                        acknowledged.add(body);
                    }
                    Thread.sleep(2);
                } catch (Exception down) {
                    // Not acknowledged: the message may be there or not.
                    continue;
                }
            }
        });
        load.start();
        run.awaitOrFail(30, "the load runs", () -> inbox.count() > 100);
        Main.control(how);
        int before = acknowledged.size();
        run.awaitOrFail(60, "the producer goes on", () -> acknowledged.size() > before + 200);
        stop.set(true);
        load.join();
        run.awaitOrFail(90, "the consumer receives all that was acknowledged",
            () -> inbox.bodies().containsAll(acknowledged));
        run.saw("lost", acknowledged.stream().filter(body -> !inbox.bodies().contains(body)).count());
        long stored = 0;
        for (int queue = 0; queue < 4; queue++) {
            stored += run.admin().maxOffset(run.queue(run.topic(), queue));
        }
        run.expect(stored >= acknowledged.size(), "the queues hold " + stored + " of " + acknowledged.size());
    }

    /** Topics, messages, offsets and the index are the same before and after. */
    private static void keepsState(Run run) throws Exception {
        run.createTopic(run.topic(), 2);
        DefaultMQProducer producer = run.producer();
        run.send(producer, run.topic(), "m", 20, 2);
        String id = producer.send(new Message(run.topic(), "tag", "key", "keyed".getBytes()), run.queue(run.topic(), 0))
            .getMsgId();
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer consumer = run.newPushConsumer(run.group());
        consumer.subscribe(run.topic(), "*");
        inbox.receive(consumer);
        consumer.start();
        run.awaitOrFail(30, "all are consumed", () -> inbox.count() >= 21);
        consumer.shutdown();
        Main.control("restart");
        run.awaitOrFail(40, "the queue is there again", () ->
            run.admin().maxOffset(run.queue(run.topic(), 0)) == 11);
        run.saw("max offset 1", run.admin().maxOffset(run.queue(run.topic(), 1)));
        run.saw("by unique key", Inbox.text(producer.viewMessage(run.topic(), id)));
        run.saw("route", run.admin().examineTopicRouteInfo(run.topic()).getQueueDatas());
        Inbox rest = new Inbox();
        DefaultMQPushConsumer successor = run.newPushConsumer(run.group());
        successor.subscribe(run.topic(), "*");
        rest.receive(successor);
        successor.start();
        producer.send(new Message(run.topic(), "later".getBytes()));
        run.awaitOrFail(40, "the later message arrives", () -> rest.bodies().contains("later"));
        run.saw("after the restart", new java.util.ArrayList<>(rest.bodies()));
    }
}
