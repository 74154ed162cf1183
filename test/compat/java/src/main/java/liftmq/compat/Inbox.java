package liftmq.compat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.common.message.MessageExt;

/** What a consumer has been given so far, in the order in which it came. */
final class Inbox {
    private final List<MessageExt> messages = new ArrayList<>();

    void receive(DefaultMQPushConsumer consumer) {
        consumer.registerMessageListener((MessageListenerConcurrently) (batch, context) -> {
            add(batch);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
    }

    void receiveInOrder(DefaultMQPushConsumer consumer) {
        consumer.registerMessageListener((MessageListenerOrderly) (batch, context) -> {
            add(batch);
            return ConsumeOrderlyStatus.SUCCESS;
        });
    }

    synchronized void add(List<MessageExt> batch) {
        messages.addAll(batch);
    }

    synchronized int count() {
        return messages.size();
    }

    synchronized List<MessageExt> all() {
        return new ArrayList<>(messages);
    }

    /** Bodies as text, each once, in the alphabet's order. */
    TreeSet<String> bodies() {
        TreeSet<String> bodies = new TreeSet<>();
        for (MessageExt message : all()) {
            bodies.add(text(message));
        }
        return bodies;
    }

    /** Bodies of each queue in the order of arrival. */
    Map<Integer, List<String>> bodiesByQueue() {
        Map<Integer, List<String>> queues = new TreeMap<>();
        for (MessageExt message : all()) {
            queues.computeIfAbsent(message.getQueueId(), queue -> new ArrayList<>()).add(text(message));
        }
        return queues;
    }

    static String text(MessageExt message) {
        return new String(message.getBody(), StandardCharsets.UTF_8);
    }
}
