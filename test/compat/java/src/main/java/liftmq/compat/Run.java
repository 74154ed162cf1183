package liftmq.compat;

import com.alibaba.fastjson2.JSONObject;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.ClientConfig;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/** What one scenario works with: names of its own, clients that are closed after it, facts and expectations. */
final class Run implements AutoCloseable {
    static final String CLUSTER = "DefaultCluster";
    static final String BROKER = "broker-a";
    private static final int FAILURES_MAX = 20;
    private static final AtomicInteger CLIENTS = new AtomicInteger();

    final String name;
    final String namesrv;
    final String broker;
    /** What whoever ordered the run says about it; mostly nothing. */
    final JSONObject arguments;
    private final Map<String, Object> facts = new TreeMap<>();
    private final List<String> failures = new ArrayList<>();
    private final Deque<AutoCloseable> opened = new ArrayDeque<>();
    private Wire wire;
    private DefaultMQAdminExt admin;

    Run(String name, String namesrv, String broker, JSONObject arguments) {
        this.name = name;
        this.arguments = arguments;
        this.namesrv = namesrv;
        this.broker = broker;
    }

    String topic() {
        return "T-" + name;
    }

    String topic(String suffix) {
        return "T-" + name + "-" + suffix;
    }

    String group() {
        return "G-" + name;
    }

    String group(String suffix) {
        return "G-" + name + "-" + suffix;
    }

    /** A fact that any compatible broker must let a client see. */
    synchronized void saw(String fact, Object value) {
        facts.put(fact, value);
    }

    /** What the program itself insists on, whatever the broker. */
    synchronized void expect(boolean holds, String sentence) {
        if (!holds && failures.size() < FAILURES_MAX) {
            failures.add(sentence);
        }
    }

    synchronized void failed(Throwable cause) {
        StringBuilder text = new StringBuilder(cause.toString());
        for (StackTraceElement frame : cause.getStackTrace()) {
            if (frame.getClassName().startsWith("liftmq.")) {
                text.append(" at ").append(frame.getFileName()).append(':').append(frame.getLineNumber());
            }
        }
        expect(false, text.toString());
    }

    synchronized String report(long tookMs) {
        Map<String, Object> line = new TreeMap<>();
        line.put("scenario", name);
        line.put("facts", facts);
        line.put("failures", failures);
        line.put("tookMs", tookMs);
        return Facts.json(line);
    }

    synchronized boolean passed() {
        return failures.isEmpty();
    }

    /**
     * Waits until the condition holds, at most so many seconds; says whether it came to hold. What is asked for may not
     * be known yet: until then a refusal means that it does not hold.
     */
    boolean await(int seconds, Callable<Boolean> condition) throws Exception {
        long deadline = System.nanoTime() + seconds * 1_000_000_000L;
        while (System.nanoTime() < deadline) {
            try {
                if (condition.call()) {
                    return true;
                }
            } catch (MQClientException | MQBrokerException notYet) {
                Thread.sleep(200);
            }
            Thread.sleep(20);
        }
        return condition.call();
    }

    void awaitOrFail(int seconds, String sentence, Callable<Boolean> condition) throws Exception {
        expect(await(seconds, condition), sentence + " (waited " + seconds + " s)");
    }

    private <C extends ClientConfig> C configured(C client) {
        client.setNamesrvAddr(namesrv);
        client.setInstanceName(name + "-" + CLIENTS.incrementAndGet());
        return client;
    }

    /** Closes it after the scenario. */
    <C extends AutoCloseable> C closing(C resource) {
        opened.push(resource);
        return resource;
    }

    DefaultMQProducer newProducer() {
        DefaultMQProducer producer = configured(new DefaultMQProducer("P-" + name));
        opened.push(producer::shutdown);
        return producer;
    }

    DefaultMQProducer producer() throws Exception {
        DefaultMQProducer producer = newProducer();
        producer.start();
        return producer;
    }

    DefaultMQPushConsumer newPushConsumer(String group) {
        DefaultMQPushConsumer consumer = configured(new DefaultMQPushConsumer(group));
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        // The client gives its subscription a new version when its queues change, and leaves out the heartbeat that
        // should tell it to the broker when another one is under way. Until the next one it is refused with
        // SUBSCRIPTION_NOT_LATEST, by any broker; the usual 30 s are long for a test.
        consumer.setHeartbeatBrokerInterval(5000);
        opened.push(consumer::shutdown);
        return consumer;
    }

    DefaultLitePullConsumer newLitePullConsumer(String group) {
        DefaultLitePullConsumer consumer = configured(new DefaultLitePullConsumer(group));
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        opened.push(consumer::shutdown);
        return consumer;
    }

    synchronized Wire wire() {
        if (wire == null) {
            wire = closing(new Wire());
        }
        return wire;
    }

    synchronized DefaultMQAdminExt admin() throws Exception {
        if (admin == null) {
            admin = configured(new DefaultMQAdminExt());
            admin.setAdminExtGroup("A-" + name);
            admin.start();
            opened.push(admin::shutdown);
        }
        return admin;
    }

    /** Creates the topic on the broker, and waits until the name server knows it. */
    void createTopic(String topic, int queueCount) throws Exception {
        admin().createAndUpdateTopicConfig(broker, new TopicConfig(topic, queueCount, queueCount));
        awaitOrFail(10, "the name server knows " + topic, () ->
            !admin().examineTopicRouteInfo(topic).getQueueDatas().isEmpty());
    }

    MessageQueue queue(String topic, int queueId) {
        return new MessageQueue(topic, BROKER, queueId);
    }

    /** Sends bodies prefix0, prefix1, … in turn to the topic's queues, starting with queue 0. */
    List<SendResult> send(DefaultMQProducer producer, String topic, String prefix, int count, int queueCount)
        throws Exception {
        List<SendResult> results = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Message message = new Message(topic, (prefix + i).getBytes(StandardCharsets.UTF_8));
            results.add(producer.send(message, queue(topic, i % queueCount)));
        }
        return results;
    }

    /** All at once: a client takes up to three seconds to end its threads. */
    @Override
    public void close() throws Exception {
        ExecutorService threads = Executors.newCachedThreadPool();
        List<Future<?>> closed = new ArrayList<>();
        while (!opened.isEmpty()) {
            AutoCloseable resource = opened.pop();
            closed.add(threads.submit(() -> {
                resource.close();
                return null;
            }));
        }
        threads.shutdown();
        for (Future<?> each : closed) {
            each.get();
        }
    }
}
