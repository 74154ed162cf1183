package liftmq.compat;

import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.compression.CompressionType;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;
import org.apache.rocketmq.remoting.protocol.RequestCode;

/** What fills a store for the golden files, and what a store holds in the eyes of the official decoder. */
final class GoldenScenarios {
    private GoldenScenarios() {
    }

    static void register(Map<String, Scenario> scenarios) {
        scenarios.put("golden-load", run -> {
            load(run);
            transactions(run);
        });
        scenarios.put("golden-waiting", GoldenScenarios::waiting);
    }

    /** One of everything that a log can hold, and enough of it for several small files of each kind. */
    private static void load(Run run) throws Exception {
        run.createTopic("Plain", 4);
        DefaultMQProducer producer = run.producer();
        for (int i = 0; i < 200; i++) {
            Message message = new Message("Plain", i % 3 == 0 ? "" : "tag" + i % 3, "key" + i + " all",
                ("plain " + i + " " + "x".repeat(i)).getBytes(StandardCharsets.UTF_8));
            message.setFlag(i);
            producer.send(message, run.queue("Plain", i % 4));
        }
        run.createTopic("Names", 1);
        Message unicode = new Message("Names", "Käse", "鍵", "größer als 1 €".getBytes(StandardCharsets.UTF_8));
        unicode.putUserProperty("Übung", "🚀");
        producer.send(unicode);
        run.createTopic("n".repeat(127), 1);
        producer.send(new Message("n".repeat(127), new byte[] {0}));

        run.createTopic("Batch", 1);
        List<Message> batch = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            batch.add(new Message("Batch", "tag", "key" + i, ("batch " + i).getBytes(StandardCharsets.UTF_8)));
        }
        producer.send(batch);

        run.createTopic("Compressed", 1);
        byte[] text = "compressible ".repeat(1000).getBytes(StandardCharsets.UTF_8);
        for (CompressionType type : CompressionType.values()) {
            DefaultMQProducer compressing = run.newProducer();
            compressing.setProducerGroup("P-" + type);
            compressing.start();
            compressing.setCompressType(type);
            compressing.send(new Message("Compressed", type.name(), type.name(), text));
        }

        run.createTopic("Delayed", 1);
        Message delayed = new Message("Delayed", "later".getBytes(StandardCharsets.UTF_8));
        delayed.setDelayTimeLevel(1);
        producer.send(delayed);
        run.awaitOrFail(20, "the delayed message is delivered", () ->
            run.admin().maxOffset(run.queue("Delayed", 0)) == 1);

        // Progress of a group, and a retry.
        for (int queue = 0; queue < 4; queue++) {
            PullScenarios.pull(run, "Readers", "Plain", queue, 0, 32, "*");
            run.wire().call(run.broker, RequestCode.UPDATE_CONSUMER_OFFSET,
                "consumerGroup", "Readers", "topic", "Plain", "queueId", queue, "commitOffset", 10 + queue);
        }
        MessageExt first = Facts.records(PullScenarios.pull(run, "Readers", "Plain", 0, 0, 1, "*")).iterator().next();
        RemotingCommand back = run.wire().call(run.broker,
            RequestCode.CONSUMER_SEND_MSG_BACK, "group", "Readers",
            "offset", first.getCommitLogOffset(), "delayLevel", 1, "originMsgId", "ID", "originTopic", "Plain",
            "unitMode", false);
        run.expect(back.getCode() == 0, "the message is sent back");
        run.awaitOrFail(20, "the retry is delivered", () ->
            run.admin().maxOffset(run.queue("%RETRY%Readers", 0)) == 1);
    }

    /** What a broker has still to do, of every kind; the third delay level lasts an hour. */
    private static void waiting(Run run) throws Exception {
        run.createTopic("Plain", 4);
        DefaultMQProducer producer = run.producer();
        for (int i = 0; i < 60; i++) {
            producer.send(new Message("Plain", "tag", "key" + i, ("plain " + i + "x".repeat(1500)).getBytes()),
                run.queue("Plain", i % 4));
        }
        for (String topic : new String[] {"Delayed", "Timed", "Transactions"}) {
            run.createTopic(topic, 1);
        }
        for (int level : new int[] {1, 3, 3}) {
            Message delayed = new Message("Delayed", ("level " + level).getBytes());
            delayed.setDelayTimeLevel(level);
            producer.send(delayed);
        }
        InterchangeScenarios.retry(run, "Retried", 3);
        InterchangeScenarios.retry(run, "Retried", -1);
        for (int seconds : new int[] {2, 3600, 7200}) {
            Message timed = new Message("Timed", ("after " + seconds + " s").getBytes());
            timed.setDelayTimeSec(seconds);
            producer.send(timed);
        }
        TransactionMQProducer transactions =
            InterchangeScenarios.transactions(run, message -> LocalTransactionState.UNKNOW);
        for (LocalTransactionState state : LocalTransactionState.values()) {
            transactions.sendMessageInTransaction(new Message("Transactions", state.name().getBytes()), state);
        }
        InterchangeScenarios.pop(run, 2000);
        run.awaitOrFail(60, "the popped message comes again", () ->
            run.admin().maxOffset(run.queue(InterchangeScenarios.LONG_RETRY_TOPIC, 0)) == 1);
        InterchangeScenarios.pop(run, 3_600_000);
        run.awaitOrFail(20, "the timer goes off", () -> run.admin().maxOffset(run.queue("Timed", 0)) == 1);
        run.awaitOrFail(20, "the delay is over", () -> run.admin().maxOffset(run.queue("Delayed", 0)) == 1);
        // Time for what is written in the background.
        Thread.sleep(3000);
    }

    private static void transactions(Run run) throws Exception {
        run.createTopic("Transactions", 1);
        TransactionMQProducer producer = new TransactionMQProducer("P-transactions");
        producer.setNamesrvAddr(run.namesrv);
        producer.setInstanceName("golden-transactions");
        producer.setTransactionListener(new TransactionListener() {
            @Override
            public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
                return (LocalTransactionState) argument;
            }

            @Override
            public LocalTransactionState checkLocalTransaction(MessageExt message) {
                return LocalTransactionState.UNKNOW;
            }
        });
        producer.start();
        run.closing(producer::shutdown);
        producer.sendMessageInTransaction(new Message("Transactions", "committed".getBytes()),
            LocalTransactionState.COMMIT_MESSAGE);
        producer.sendMessageInTransaction(new Message("Transactions", "rolled back".getBytes()),
            LocalTransactionState.ROLLBACK_MESSAGE);
        run.awaitOrFail(20, "the committed message is visible", () ->
            run.admin().maxOffset(run.queue("Transactions", 0)) == 1);
        Thread.sleep(1500);
    }

    /**
     * Every record of a commit log as the official decoder reads it, in JSON lines: what our own decoder must find.
     */
    static void manifest(Path commitLog) throws Exception {
        List<Path> files;
        try (var listing = Files.list(commitLog)) {
            files = listing.sorted().toList();
        }
        for (Path file : files) {
            long base = Long.parseLong(file.getFileName().toString());
            ByteBuffer log = ByteBuffer.wrap(Files.readAllBytes(file));
            while (log.remaining() >= 8) {
                int at = log.position();
                int size = log.getInt(at);
                int magic = log.getInt(at + 4);
                if (magic != MessageDecoder.MESSAGE_MAGIC_CODE && magic != MessageDecoder.MESSAGE_MAGIC_CODE_V2) {
                    break;
                }
                MessageExt message = MessageDecoder.decode(log.slice(at, size), true, false);
                System.out.println(Facts.json(record(base + at, size, message)));
                log.position(at + size);
            }
        }
    }

    private static String host(SocketAddress address) {
        InetSocketAddress host = (InetSocketAddress) address;
        return HexFormat.of().formatHex(host.getAddress().getAddress()) + ":" + host.getPort();
    }

    static Map<String, Object> record(long offset, int size, MessageExt message) {
        Map<String, Object> facts = new TreeMap<>();
        facts.put("physicalOffset", offset);
        facts.put("sizeBytes", size);
        facts.put("topic", message.getTopic());
        facts.put("queueId", message.getQueueId());
        facts.put("queueOffset", message.getQueueOffset());
        facts.put("flag", message.getFlag());
        facts.put("sysFlag", message.getSysFlag());
        facts.put("bornTimestampMs", message.getBornTimestamp());
        facts.put("bornHost", host(message.getBornHost()));
        facts.put("storeTimestampMs", message.getStoreTimestamp());
        facts.put("storeHost", host(message.getStoreHost()));
        facts.put("reconsumeTimes", message.getReconsumeTimes());
        facts.put("preparedTransactionOffset", message.getPreparedTransactionOffset());
        facts.put("bodyHex", HexFormat.of().formatHex(message.getBody()));
        facts.put("properties", message.getProperties());
        return facts;
    }
}
