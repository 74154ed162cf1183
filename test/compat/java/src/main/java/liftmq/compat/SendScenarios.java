package liftmq.compat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.common.sysflag.PullSysFlag;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;
import org.apache.rocketmq.remoting.protocol.RequestCode;
import org.apache.rocketmq.remoting.protocol.route.QueueData;

/** Every way in which a producer hands over messages. */
final class SendScenarios {
    private SendScenarios() {
    }

    static void register(Map<String, Scenario> scenarios) {
        scenarios.put("send-sync", SendScenarios::sync);
        scenarios.put("send-async", SendScenarios::async);
        scenarios.put("send-oneway", SendScenarios::oneway);
        scenarios.put("send-batch", SendScenarios::batch);
        scenarios.put("send-selected-queue", SendScenarios::selectedQueue);
        scenarios.put("send-raw", SendScenarios::raw);
        scenarios.put("message-fields", SendScenarios::messageFields);
        scenarios.put("large-messages", SendScenarios::largeMessages);
        scenarios.put("compression", SendScenarios::compression);
        scenarios.put("topic-auto-creation", SendScenarios::topicAutoCreation);
        scenarios.put("vip-channel", SendScenarios::vipChannel);
        scenarios.put("header-encodings", SendScenarios::headerEncodings);
    }

    private static void sync(Run run) throws Exception {
        run.createTopic(run.topic(), 4);
        DefaultMQProducer producer = run.producer();
        List<SendResult> results = run.send(producer, run.topic(), "m", 12, 4);
        Map<Integer, List<Long>> offsets = new TreeMap<>();
        TreeSet<String> ids = new TreeSet<>();
        TreeSet<String> statuses = new TreeSet<>();
        for (SendResult result : results) {
            statuses.add(result.getSendStatus().name());
            ids.add(result.getMsgId());
            offsets.computeIfAbsent(result.getMessageQueue().getQueueId(), q -> new ArrayList<>())
                .add(result.getQueueOffset());
        }
        SendResult first = results.get(0);
        run.saw("statuses", statuses);
        run.saw("distinctIds", ids.size());
        run.saw("offsetsByQueue", offsets);
        run.saw("brokerName", first.getMessageQueue().getBrokerName());
        run.saw("msgId", Facts.shape(first.getMsgId()));
        run.saw("offsetMsgId", Facts.shape(first.getOffsetMsgId()));
        run.saw("transactionIdIsMsgId", first.getMsgId().equals(first.getTransactionId()));
        run.saw("regionId", first.getRegionId());
        run.saw("traceOn", first.isTraceOn());
        run.saw("recallHandle", first.getRecallHandle());
        MessageExt stored = run.admin().viewMessage(run.topic(), first.getOffsetMsgId());
        run.saw("offsetMsgIdFindsIt", Inbox.text(stored));
    }

    private static void async(Run run) throws Exception {
        run.createTopic(run.topic(), 4);
        DefaultMQProducer producer = run.producer();
        int count = 200;
        CountDownLatch done = new CountDownLatch(count);
        ConcurrentLinkedQueue<SendResult> results = new ConcurrentLinkedQueue<>();
        for (int i = 0; i < count; i++) {
            Message message = new Message(run.topic(), ("m" + i).getBytes(StandardCharsets.UTF_8));
            producer.send(message, run.queue(run.topic(), i % 4), new SendCallback() {
                @Override
                public void onSuccess(SendResult result) {
                    results.add(result);
                    done.countDown();
                }

                @Override
                public void onException(Throwable cause) {
                    run.failed(cause);
                    done.countDown();
                }
            });
        }
        run.expect(done.await(30, TimeUnit.SECONDS), "every callback is called");
        Map<Integer, TreeSet<Long>> offsets = new TreeMap<>();
        results.forEach(result -> offsets
            .computeIfAbsent(result.getMessageQueue().getQueueId(), q -> new TreeSet<>())
            .add(result.getQueueOffset()));
        Map<Integer, String> spans = new TreeMap<>();
        offsets.forEach((queue, of) -> spans.put(queue, of.first() + "…" + of.last() + ", " + of.size()));
        run.saw("succeeded", results.size());
        run.saw("offsetSpanByQueue", spans);
    }

    private static void oneway(Run run) throws Exception {
        run.createTopic(run.topic(), 2);
        DefaultMQProducer producer = run.producer();
        for (int i = 0; i < 20; i++) {
            Message message = new Message(run.topic(), ("m" + i).getBytes(StandardCharsets.UTF_8));
            producer.sendOneway(message, run.queue(run.topic(), i % 2));
        }
        MessageQueue last = run.queue(run.topic(), 1);
        run.awaitOrFail(10, "all one-way messages are stored", () ->
            run.admin().maxOffset(last) + run.admin().maxOffset(run.queue(run.topic(), 0)) == 20);
        run.saw("maxOffset", run.admin().maxOffset(last));
    }

    private static void batch(Run run) throws Exception {
        run.createTopic(run.topic(), 1);
        DefaultMQProducer producer = run.producer();
        List<Message> messages = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            Message message = new Message(run.topic(), "tag" + i, "key" + i, ("m" + i).getBytes(StandardCharsets.UTF_8));
            message.putUserProperty("place", String.valueOf(i));
            message.setFlag(i);
            messages.add(message);
        }
        SendResult result = producer.send(messages, run.queue(run.topic(), 0));
        run.saw("status", result.getSendStatus());
        run.saw("queueOffset", result.getQueueOffset());
        run.saw("msgId", Facts.shape(result.getMsgId()));
        run.saw("offsetMsgId", Facts.shape(result.getOffsetMsgId()));
        SendResult second = producer.send(messages.subList(0, 3), run.queue(run.topic(), 0));
        run.saw("secondQueueOffset", second.getQueueOffset());

        RemotingCommand pulled = PullScenarios.pull(run, run.group(), run.topic(), 0, 0, 32, "*");
        List<Object> seen = new ArrayList<>();
        for (MessageExt message : Facts.records(pulled)) {
            Map<String, Object> facts = Facts.message(message);
            facts.put("body", Inbox.text(message));
            facts.put("queueOffset", message.getQueueOffset());
            seen.add(facts);
        }
        run.saw("messages", seen);
    }

    private static void selectedQueue(Run run) throws Exception {
        run.createTopic(run.topic(), 4);
        DefaultMQProducer producer = run.producer();
        Map<Integer, Integer> queues = new TreeMap<>();
        for (int order = 0; order < 8; order++) {
            Message message = new Message(run.topic(), ("m" + order).getBytes(StandardCharsets.UTF_8));
            SendResult result = producer.send(message, (all, chosen, argument) -> all.get((Integer) argument % 3), order);
            queues.merge(result.getMessageQueue().getQueueId(), 1, Integer::sum);
        }
        run.saw("messagesByQueue", queues);
        run.saw("publishQueues", producer.fetchPublishMessageQueues(run.topic()).size());
        // Without a choice the client goes round all queues; each queue must be usable.
        TreeSet<Integer> used = new TreeSet<>();
        for (int i = 0; i < 8; i++) {
            used.add(producer.send(new Message(run.topic(), new byte[] {1})).getMessageQueue().getQueueId());
        }
        run.saw("roundRobinQueues", used);
    }

    /** The two spellings of a single send, field by field as they go over the wire. */
    private static void raw(Run run) throws Exception {
        run.createTopic(run.topic(), 2);
        byte[] body = "raw".getBytes(StandardCharsets.UTF_8);
        run.saw("long names", Facts.answer(run.wire().callWithBody(run.broker, RequestCode.SEND_MESSAGE, body,
            "producerGroup", "P", "topic", run.topic(), "defaultTopic", "TBW102", "defaultTopicQueueNums", 4,
            "queueId", 0, "sysFlag", 0, "bornTimestamp", System.currentTimeMillis(), "flag", 7,
            "properties", "TAGS\u0001t\u0002KEYS\u0001k", "reconsumeTimes", 0, "unitMode", false, "batch", false)));
        run.saw("short names", Facts.answer(sendV2(run, run.topic(), 1, body, "KEYS\u0001k\u0002")));
        run.saw("no properties", Facts.answer(sendV2(run, run.topic(), 1, body, null)));
        RemotingCommand anywhere = sendV2(run, run.topic(), -1, body, null);
        run.saw("queue -1", anywhere.getCode());
        run.expect(List.of("0", "1").contains(anywhere.getExtFields().get("queueId")), "queue -1 is any queue");

        List<Object> seen = new ArrayList<>();
        for (int queue = 0; queue < 2; queue++) {
            RemotingCommand pulled = PullScenarios.pull(run, run.group(), run.topic(), queue, 0, 1, "*");
            Facts.records(pulled).forEach(message -> seen.add(Facts.message(message)));
        }
        run.saw("stored", seen);
    }

    static RemotingCommand sendV2(Run run, String topic, int queueId, byte[] body, String properties) throws Exception {
        return run.wire().callWithBody(run.broker, RequestCode.SEND_MESSAGE_V2, body,
            "a", "P-" + run.name, "b", topic, "c", "TBW102", "d", 4, "e", queueId, "f", 0,
            "g", System.currentTimeMillis(), "h", 0, "i", properties, "j", 0, "k", false, "m", false);
    }

    private static void messageFields(Run run) throws Exception {
        run.createTopic(run.topic(), 1);
        DefaultMQProducer producer = run.producer();
        byte[] everyByte = new byte[256];
        for (int i = 0; i < everyByte.length; i++) {
            everyByte[i] = (byte) i;
        }
        Message message = new Message(run.topic(), "Käse", "k1 k2 鍵", everyByte);
        message.setFlag(-123456);
        message.putUserProperty("plain", "value");
        message.putUserProperty("Übung", "größer als 1 € 🚀");
        message.putUserProperty("spaces", "  a b  ");
        message.putUserProperty("json", "{\"a\":[1,\"\\\\\"]}");
        message.setBuyerId("buyer");
        message.setWaitStoreMsgOK(false);
        run.saw("status", producer.send(message).getSendStatus());

        Inbox inbox = new Inbox();
        var consumer = run.newPushConsumer(run.group());
        consumer.subscribe(run.topic(), "*");
        inbox.receive(consumer);
        consumer.start();
        run.awaitOrFail(30, "the message arrives", () -> inbox.count() == 1);
        MessageExt received = inbox.all().get(0);
        run.saw("message", Facts.message(received));
        run.saw("tags", received.getTags());
        run.saw("keys", received.getKeys());
        run.saw("bodyIsEqual", java.util.Arrays.equals(everyByte, received.getBody()));
        run.saw("storeHostIsBroker", ("/" + run.broker).equals(received.getStoreHost().toString()));
        run.saw("bornHostIsLoopback", received.getBornHostString());
        run.saw("bornBeforeStored", received.getBornTimestamp() <= received.getStoreTimestamp());
        run.saw("storeSizeBytes", received.getStoreSize() - received.getProperty("UNIQ_KEY").length());
        run.saw("msgIdIsUniqueKey", received.getMsgId().equals(received.getProperty("UNIQ_KEY")));
    }

    private static void largeMessages(Run run) throws Exception {
        run.createTopic(run.topic(), 1);
        DefaultMQProducer producer = run.producer();
        producer.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        producer.setSendMsgTimeout(20_000);
        int limit = 4 * 1024 * 1024;
        byte[] body = new byte[limit];
        new Random(7).nextBytes(body);
        run.saw("at the limit", producer.send(new Message(run.topic(), body)).getSendStatus());

        producer.setMaxMessageSize(limit * 2);
        run.saw("one byte over", sendCode(producer, new Message(run.topic(), new byte[limit + 1])));
        run.saw("far over", sendCode(producer, new Message(run.topic(), new byte[limit + 1_000_000])));

        Message manyProperties = new Message(run.topic(), new byte[] {1});
        manyProperties.putUserProperty("p", "x".repeat(32_000));
        run.saw("32,000 bytes of properties", sendCode(producer, manyProperties));
        Message tooManyProperties = new Message(run.topic(), new byte[] {1});
        tooManyProperties.putUserProperty("p", "x".repeat(33_000));
        run.saw("33,000 bytes of properties", sendCode(producer, tooManyProperties));

        Inbox inbox = new Inbox();
        var consumer = run.newPushConsumer(run.group());
        consumer.subscribe(run.topic(), "*");
        inbox.receive(consumer);
        consumer.start();
        run.awaitOrFail(60, "both accepted messages arrive", () -> inbox.count() >= 2);
        run.saw("received", inbox.count());
        boolean intact = inbox.all().stream().anyMatch(m -> java.util.Arrays.equals(body, m.getBody()));
        run.saw("large body is intact", intact);
    }

    private static Object sendCode(DefaultMQProducer producer, Message message) throws Exception {
        try {
            return producer.send(message).getSendStatus();
        } catch (MQClientException refused) {
            return "client " + refused.getResponseCode();
        } catch (org.apache.rocketmq.client.exception.MQBrokerException refused) {
            return "broker " + refused.getResponseCode();
        }
    }

    private static void compression(Run run) throws Exception {
        run.createTopic(run.topic(), 1);
        DefaultMQProducer producer = run.producer();
        byte[] body = "compressible ".repeat(10_000).getBytes(StandardCharsets.UTF_8);
        run.saw("status", producer.send(new Message(run.topic(), body)).getSendStatus());

        RemotingCommand pulled = PullScenarios.pull(run, run.group("raw"), run.topic(), 0, 0, 1, "*");
        run.expect(pulled.getBody().length < body.length / 10, "the broker stores and serves the compressed body");
        MessageExt message = Facts.records(pulled).iterator().next();
        run.saw("message", Facts.message(message));
        run.saw("bodyIsEqual", java.util.Arrays.equals(body, message.getBody()));
    }

    private static void topicAutoCreation(Run run) throws Exception {
        DefaultMQProducer producer = run.producer();
        String topic = run.topic();
        try {
            run.admin().examineTopicRouteInfo(topic);
            run.expect(false, "a topic that nobody used has no route");
        } catch (MQClientException unknown) {
            run.saw("route before", unknown.getResponseCode());
        }
        SendResult result = producer.send(new Message(topic, new byte[] {1}));
        run.saw("status", result.getSendStatus());
        run.saw("queueOffset", result.getQueueOffset());
        Collection<QueueData> route = run.admin().examineTopicRouteInfo(topic).getQueueDatas();
        run.saw("route after", route);
        run.saw("config", Facts.json(run.admin().examineTopicConfig(run.broker, topic)));

        DefaultMQProducer wide = run.newProducer();
        wide.setDefaultTopicQueueNums(100);
        wide.start();
        wide.send(new Message(run.topic("wide"), new byte[] {1}));
        run.saw("route of 100 wished queues", run.admin().examineTopicRouteInfo(run.topic("wide")).getQueueDatas());
    }

    /** The VIP port (listen port − 2) takes sends, and refuses pulls. */
    private static void vipChannel(Run run) throws Exception {
        run.createTopic(run.topic(), 1);
        DefaultMQProducer producer = run.newProducer();
        producer.setVipChannelEnabled(true);
        producer.start();
        run.saw("status", producer.send(new Message(run.topic(), new byte[] {1})).getSendStatus());
        int colon = run.broker.lastIndexOf(':');
        String vip = run.broker.substring(0, colon + 1) + (Integer.parseInt(run.broker.substring(colon + 1)) - 2);
        run.saw("pull", Facts.answer(run.wire().call(vip, RequestCode.PULL_MESSAGE,
            "consumerGroup", run.group(), "topic", run.topic(), "queueId", 0, "queueOffset", 0, "maxMsgNums", 1,
            "sysFlag", PullSysFlag.buildSysFlag(false, false, true, false), "commitOffset", 0,
            "suspendTimeoutMillis", 0, "subscription", "*", "subVersion", 0)));
        run.saw("max offset", Facts.answer(run.wire().call(vip, RequestCode.GET_MAX_OFFSET,
            "topic", run.topic(), "queueId", 0)));
    }

    /** The process chose one encoding for its requests; the answers must be readable whichever it is. */
    private static void headerEncodings(Run run) throws Exception {
        run.createTopic(run.topic(), 1);
        RemotingCommand sent = sendV2(run, run.topic(), 0, "m".getBytes(StandardCharsets.UTF_8), "KEYS\u0001k\u0002");
        run.saw("send", Facts.answer(sent));
        run.saw("answer encoding", sent.getSerializeTypeCurrentRPC());
        run.saw("request encoding", RemotingCommand.getSerializeTypeConfigInThisServer());
        RemotingCommand route = run.wire().call(run.namesrv, RequestCode.GET_ROUTEINFO_BY_TOPIC, "topic", run.topic());
        run.saw("route", Facts.answer(route));
        run.saw("pull", PullScenarios.facts(PullScenarios.pull(run, run.group(), run.topic(), 0, 0, 1, "*")));
        run.saw("unknown command", Facts.answer(run.wire().call(run.broker, 29_999)));
    }
}
