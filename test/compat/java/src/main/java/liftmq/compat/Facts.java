package liftmq.compat;

import com.alibaba.fastjson2.JSON;
import com.alibaba.fastjson2.JSONWriter;
import java.util.Collection;
import java.util.Map;
import java.util.TreeMap;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;

/** Turns what the client hands out into facts that are the same on every run: no times, ids or addresses. */
final class Facts {
    private Facts() {
    }

    static String json(Object value) {
        return JSON.toJSONString(value, JSONWriter.Feature.WriteMapNullValue, JSONWriter.Feature.MapSortField,
            JSONWriter.Feature.WriteNonStringKeyAsString);
    }

    /** Everything of a message that both ends agree on, with ids and times replaced by their shape. */
    static Map<String, Object> message(MessageExt message) {
        Map<String, Object> facts = new TreeMap<>();
        facts.put("topic", message.getTopic());
        facts.put("flag", message.getFlag());
        facts.put("sysFlag", message.getSysFlag());
        facts.put("bodyBytes", message.getBody() == null ? -1 : message.getBody().length);
        facts.put("reconsumeTimes", message.getReconsumeTimes());
        facts.put("preparedTransactionOffset", message.getPreparedTransactionOffset());
        facts.put("properties", properties(message.getProperties()));
        return facts;
    }

    static Map<String, String> properties(Map<String, String> properties) {
        Map<String, String> facts = new TreeMap<>();
        properties.forEach((name, value) -> facts.put(name, property(name, value)));
        return facts;
    }

    private static String property(String name, String value) {
        switch (name) {
            case "UNIQ_KEY":
            case "ORIGIN_MESSAGE_ID":
            case "DLQ_ORIGIN_MESSAGE_ID":
            case "__transactionId__":
                return shape(value);
            case "CONSUME_START_TIME":
            case "TIMER_OUT_MS":
            case "TIMER_DELIVER_MS":
            case "BORN_TIMESTAMP":
                return "<time>";
            case "MAX_OFFSET":
                return "<offset>";
            default:
                return value;
        }
    }

    /** Message ids say address, process and time; their length and alphabet is what a client depends on. */
    static String shape(String id) {
        if (id == null) {
            return null;
        }
        String[] ids = id.split(",", -1);
        StringBuilder text = new StringBuilder();
        text.append(ids.length == 1 ? "" : ids.length + " × ");
        text.append(ids[0].matches("[0-9A-F]+") ? "hex " : "text ").append(ids[0].length());
        return text.toString();
    }

    /** A raw answer: its code and its fields; the remark is prose, and only its presence is compared. */
    static Map<String, Object> answer(RemotingCommand answer) {
        Map<String, Object> facts = new TreeMap<>();
        facts.put("code", answer.getCode());
        Map<String, String> fields = new TreeMap<>();
        if (answer.getExtFields() != null) {
            answer.getExtFields().forEach((name, value) -> fields.put(name, field(name, value)));
        }
        if (answer.getCode() != 0) {
            // Apache puts these on the refusals of sends too, where no client looks for them.
            fields.keySet().removeAll(java.util.Set.of("MSG_REGION", "TRACE_ON"));
        }
        if (!fields.isEmpty()) {
            facts.put("fields", fields);
        }
        if (answer.getCode() != 0) {
            facts.put("saysWhy", answer.getRemark() != null && !answer.getRemark().isEmpty());
        }
        return facts;
    }

    private static String field(String name, String value) {
        switch (name) {
            case "msgId":
            case "transactionId":
                return shape(value);
            case "indexLastUpdateTimestamp":
            case "indexLastUpdatePhyoffset":
            case "timestamp":
                return "<number>";
            default:
                return value;
        }
    }

    static Collection<MessageExt> records(RemotingCommand answer) {
        return MessageDecoder.decodes(java.nio.ByteBuffer.wrap(answer.getBody()));
    }
}
