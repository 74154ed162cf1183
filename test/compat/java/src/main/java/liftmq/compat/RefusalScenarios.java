package liftmq.compat;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.remoting.protocol.RequestCode;

/** Input that a broker or name server has to refuse, and the code with which it does. */
final class RefusalScenarios {
    private static final byte[] BODY = "body".getBytes(StandardCharsets.UTF_8);

    private RefusalScenarios() {
    }

    static void register(Map<String, Scenario> scenarios) {
        scenarios.put("refused-sends", RefusalScenarios::sends);
        scenarios.put("refused-topics", RefusalScenarios::topics);
        scenarios.put("refused-requests", RefusalScenarios::requests);
        scenarios.put("refused-by-permission", RefusalScenarios::permission);
    }

    private static Object send(Run run, String topic, int queueId, byte[] body, String properties) throws Exception {
        return Facts.answer(SendScenarios.sendV2(run, topic, queueId, body, properties));
    }

    private static void sends(Run run) throws Exception {
        run.createTopic(run.topic(), 2);
        run.saw("topic with a blank", send(run, "a topic", 0, BODY, null));
        run.saw("topic with a slash", send(run, "../../etc", 0, BODY, null));
        run.saw("topic with a dot", send(run, "a.b", 0, BODY, null));
        run.saw("empty topic", send(run, "", 0, BODY, null));
        run.saw("topic of 127", send(run, "n".repeat(127), 0, BODY, null).toString().startsWith("{code=0"));
        run.saw("topic of 128", send(run, "n".repeat(128), 0, BODY, null));
        run.saw("closed system topic", send(run, "SCHEDULE_TOPIC_XXXX", 0, BODY, null));
        run.saw("half topic", send(run, "RMQ_SYS_TRANS_HALF_TOPIC", 0, BODY, null));
        run.saw("TBW102", send(run, "TBW102", 0, BODY, null));
        run.saw("queue past the last", send(run, run.topic(), 2, BODY, null));
        run.saw("queue far past", send(run, run.topic(), Integer.MAX_VALUE, BODY, null));
        run.saw("no body", send(run, run.topic(), 0, null, null));
        run.saw("body of 4 MiB + 1", send(run, run.topic(), 0, new byte[4 * 1024 * 1024 + 1], null));
        run.saw("properties of 32,767", send(run, run.topic(), 0, BODY, "p\u0001" + "x".repeat(32_600)));
        run.saw("properties of 40,000", send(run, run.topic(), 0, BODY, "p\u0001" + "x".repeat(40_000)));
        run.saw("no default topic, topic unknown", Facts.answer(run.wire().callWithBody(run.broker,
            RequestCode.SEND_MESSAGE_V2, BODY, "a", "P", "b", run.topic("unknown"), "c", "NoSuchTemplate", "d", 4,
            "e", 0, "f", 0, "g", System.currentTimeMillis(), "h", 0, "j", 0, "k", false, "m", false)));
        run.saw("template that may not be inherited", Facts.answer(run.wire().callWithBody(run.broker,
            RequestCode.SEND_MESSAGE_V2, BODY, "a", "P", "b", run.topic("unknown"), "c", run.topic(), "d", 4,
            "e", 0, "f", 0, "g", System.currentTimeMillis(), "h", 0, "j", 0, "k", false, "m", false)));
        run.saw("required field missing", run.wire().callWithBody(run.broker, RequestCode.SEND_MESSAGE_V2, BODY,
            "b", run.topic(), "c", "TBW102").getCode());
        run.saw("number that is none", run.wire().callWithBody(run.broker, RequestCode.SEND_MESSAGE_V2, BODY,
            "a", "P", "b", run.topic(), "c", "TBW102", "d", 4, "e", "zero", "f", 0,
            "g", System.currentTimeMillis(), "h", 0, "j", 0, "k", false, "m", false).getCode());
        run.saw("batch that is cut off", Facts.answer(run.wire().callWithBody(run.broker,
            RequestCode.SEND_BATCH_MESSAGE, new byte[] {0, 0, 0, 99, 1, 2, 3}, "a", "P", "b", run.topic(), "c",
            "TBW102", "d", 4, "e", 0, "f", 0, "g", System.currentTimeMillis(), "h", 0, "j", 0, "k", false, "m", true))
            .get("code"));
    }

    private static void topics(Run run) throws Exception {
        Map<String, Object> seen = new TreeMap<>();
        for (String topic : new String[] {"TBW102", "bad name", "a/b", "", "n".repeat(128), "SELF_TEST_TOPIC"}) {
            seen.put("create '" + topic + "'", create(run, topic));
        }
        run.saw("creations", seen);
        run.saw("route of an unknown topic", Facts.answer(run.wire().call(run.namesrv,
            RequestCode.GET_ROUTEINFO_BY_TOPIC, "topic", run.topic("unknown"))));
        run.createTopic(run.topic(), 3);
        run.saw("route", run.admin().examineTopicRouteInfo(run.topic()).getQueueDatas());
        run.saw("same again", create(run, run.topic()));
        run.admin().createAndUpdateTopicConfig(run.broker, new TopicConfig(run.topic(), 5, 6));
        run.awaitOrFail(10, "the route follows", () ->
            run.admin().examineTopicRouteInfo(run.topic()).getQueueDatas().get(0).getWriteQueueNums() == 6);
        run.saw("changed config", Facts.json(run.admin().examineTopicConfig(run.broker, run.topic())));
        run.saw("delete", run.wire().call(run.broker, RequestCode.DELETE_TOPIC_IN_BROKER, "topic", run.topic())
            .getCode());
        run.saw("delete a system topic", Facts.answer(run.wire().call(run.broker, RequestCode.DELETE_TOPIC_IN_BROKER,
            "topic", "TBW102")));
    }

    private static Object create(Run run, String topic) throws Exception {
        return Facts.answer(run.wire().call(run.broker, RequestCode.UPDATE_AND_CREATE_TOPIC, "topic", topic,
            "defaultTopic", "TBW102", "readQueueNums", 3, "writeQueueNums", 3, "perm", 6, "topicFilterType",
            "SINGLE_TAG", "topicSysFlag", 0, "order", false));
    }

    private static void requests(Run run) throws Exception {
        run.saw("unknown command at the broker", Facts.answer(run.wire().call(run.broker, 31_337)));
        run.saw("unknown command at the name server", Facts.answer(run.wire().call(run.namesrv, 31_337)));
        run.saw("broker command at the name server", Facts.answer(run.wire().call(run.namesrv,
            RequestCode.SEND_MESSAGE_V2)));
        run.saw("heartbeat without a body", run.wire().call(run.broker, RequestCode.HEART_BEAT).getCode());
        run.saw("heartbeat that is no JSON", run.wire().callWithBody(run.broker, RequestCode.HEART_BEAT,
            "{{{".getBytes()).getCode());
        run.saw("view a message past the log", Facts.answer(run.wire().call(run.broker,
            RequestCode.VIEW_MESSAGE_BY_ID, "offset", 1L << 40)));
        run.saw("view a negative offset", run.wire().call(run.broker, RequestCode.VIEW_MESSAGE_BY_ID,
            "offset", -5).getCode());
        run.saw("query without a match", Facts.answer(run.wire().call(run.broker, RequestCode.QUERY_MESSAGE,
            "topic", "none", "key", "none", "maxNum", 10, "beginTimestamp", 0, "endTimestamp", Long.MAX_VALUE)));
        run.saw("sql when it is off", Facts.answer(run.wire().callWithJson(run.broker, RequestCode.CHECK_CLIENT_CONFIG,
            Map.of("clientId", "c", "group", "G", "subscriptionData", Map.of("topic", "T", "subString", "a > 1",
                "expressionType", "SQL92")))));
        run.saw("tag filter check", Facts.answer(run.wire().callWithJson(run.broker, RequestCode.CHECK_CLIENT_CONFIG,
            Map.of("clientId", "c", "group", "G", "subscriptionData", Map.of("topic", "T", "subString", "a",
                "expressionType", "TAG")))));
        run.saw("lock without a body", run.wire().call(run.broker, RequestCode.LOCK_BATCH_MQ).getCode());
    }

    private static void permission(Run run) throws Exception {
        String topic = run.topic();
        TopicConfig readOnly = new TopicConfig(topic, 1, 1, 4);
        run.admin().createAndUpdateTopicConfig(run.broker, readOnly);
        run.saw("raw send to a read-only topic", send(run, topic, 0, BODY, null));
        Thread.sleep(300);
        run.saw("client's send to it", clientSend(run, topic));
        run.admin().createAndUpdateTopicConfig(run.broker, new TopicConfig(topic, 1, 1, 2));
        run.saw("pull from a write-only topic", PullScenarios.facts(
            PullScenarios.pull(run, run.group(), topic, 0, 0, 1, "*")));
        run.admin().createAndUpdateTopicConfig(run.broker, new TopicConfig(topic, 1, 1, 6));
        var config = new org.apache.rocketmq.remoting.protocol.subscription.SubscriptionGroupConfig();
        config.setGroupName(run.group("disabled"));
        config.setConsumeEnable(false);
        run.admin().createAndUpdateSubscriptionGroupConfig(run.broker, config);
        run.saw("pull by a disabled group", PullScenarios.facts(
            PullScenarios.pull(run, run.group("disabled"), topic, 0, 0, 1, "*")));
        run.saw("group with an illegal name", PullScenarios.facts(
            PullScenarios.pull(run, "a bad/group", topic, 0, 0, 1, "*")));
    }

    private static Object clientSend(Run run, String topic) throws Exception {
        try {
            return run.producer().send(new org.apache.rocketmq.common.message.Message(topic, BODY)).getSendStatus();
        } catch (MQClientException refused) {
            return "client " + refused.getResponseCode();
        } catch (MQBrokerException refused) {
            return "broker " + refused.getResponseCode();
        }
    }
}
