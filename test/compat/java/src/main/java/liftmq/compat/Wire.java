package liftmq.compat;

import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.apache.rocketmq.remoting.netty.NettyClientConfig;
import org.apache.rocketmq.remoting.netty.NettyRemotingClient;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;

/** Requests spelt by hand over the official transport, for what the client's own calls would not let out. */
final class Wire implements AutoCloseable {
    private static final long TIMEOUT_MS = 40_000;

    private final NettyRemotingClient client = new NettyRemotingClient(new NettyClientConfig());

    Wire() {
        client.start();
    }

    /** Field names and values in turn; a null value leaves the field out. */
    RemotingCommand call(String address, int code, Object... fields) throws Exception {
        return callWithBody(address, code, null, fields);
    }

    RemotingCommand callWithBody(String address, int code, byte[] body, Object... fields) throws Exception {
        RemotingCommand request = RemotingCommand.createRequestCommand(code, null);
        Map<String, String> extFields = new HashMap<>();
        for (int i = 0; i < fields.length; i += 2) {
            if (fields[i + 1] != null) {
                extFields.put((String) fields[i], String.valueOf(fields[i + 1]));
            }
        }
        request.setExtFields((HashMap<String, String>) extFields);
        request.setBody(body);
        return client.invokeSync(address, request, TIMEOUT_MS);
    }

    RemotingCommand callWithJson(String address, int code, Object body, Object... fields) throws Exception {
        return callWithBody(address, code, Facts.json(body).getBytes(StandardCharsets.UTF_8), fields);
    }

    @Override
    public void close() {
        client.shutdown();
    }
}
