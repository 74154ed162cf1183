package liftmq.compat;

import com.alibaba.fastjson2.JSON;
import com.alibaba.fastjson2.JSONObject;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Runs scenarios by name against a name server and its broker, several at a time, and prints a JSON line for each:
 * {@code {"scenario","facts","failures","tookMs"}}. Exits with 1 when one of them failed.
 *
 * <pre>
 * Main NAMESRV BROKER THREADS SCENARIO…
 * Main serve                           one scenario for each line of standard input:
 *                                      {@code {"scenario","namesrv","broker","arguments"}}
 * Main list                            the names
 * Main manifest COMMITLOG              what the official decoder finds in a log, see GoldenScenarios
 * </pre>
 *
 * A scenario that needs the broker stopped, killed or started prints {@code {"control": …}}, and waits for a line on
 * standard input that says it is done.
 */
public final class Main {
    private static final BufferedReader CONTROL = new BufferedReader(new InputStreamReader(System.in));
    private static final Map<String, Scenario> SCENARIOS = new LinkedHashMap<>();

    static {
        SendScenarios.register(SCENARIOS);
        ConsumeScenarios.register(SCENARIOS);
        PullScenarios.register(SCENARIOS);
        OffsetScenarios.register(SCENARIOS);
        RetryScenarios.register(SCENARIOS);
        RefusalScenarios.register(SCENARIOS);
        QueryScenarios.register(SCENARIOS);
        AdminScenarios.register(SCENARIOS);
        RestartScenarios.register(SCENARIOS);
        GoldenScenarios.register(SCENARIOS);
        InterchangeScenarios.register(SCENARIOS);
    }

    private Main() {
    }

    public static void main(String[] args) throws Exception {
        if (args.length == 1 && args[0].equals("list")) {
            SCENARIOS.keySet().forEach(System.out::println);
            return;
        }
        if (args[0].equals("manifest")) {
            GoldenScenarios.manifest(Path.of(args[1]));
            return;
        }
        if (args[0].equals("serve")) {
            for (String line = CONTROL.readLine(); line != null; line = CONTROL.readLine()) {
                JSONObject order = JSON.parseObject(line);
                String name = order.getString("scenario");
                serve(new Run(name, order.getString("namesrv"), order.getString("broker"),
                    order.getJSONObject("arguments")), scenario(name));
            }
            System.exit(0);
        }
        if (args[0].equals("member")) {
            ConsumeScenarios.groupMember(args[1], args[2], args[3], args[4]);
            return;
        }
        List<String> names = List.of(args).subList(3, args.length);
        ExecutorService threads = Executors.newFixedThreadPool(Integer.parseInt(args[2]));
        List<Future<Boolean>> outcomes = new ArrayList<>();
        for (String name : names) {
            Scenario scenario = scenario(name);
            outcomes.add(threads.submit(() -> run(new Run(name, args[0], args[1], new JSONObject()), scenario)));
        }
        boolean passed = true;
        for (Future<Boolean> outcome : outcomes) {
            passed &= outcome.get();
        }
        System.exit(passed ? 0 : 1);
    }

    private static Scenario scenario(String name) {
        Scenario scenario = SCENARIOS.get(name);
        if (scenario == null) {
            throw new IllegalArgumentException("unknown scenario " + name + "; known: " + SCENARIOS.keySet());
        }
        return scenario;
    }

    private static boolean run(Run run, Scenario scenario) {
        long start = System.nanoTime();
        try (run) {
            scenario.run(run);
        } catch (Throwable trouble) {
            run.failed(trouble);
        }
        say(run.report((System.nanoTime() - start) / 1_000_000));
        return run.passed();
    }

    /** The answer does not wait for the clients to end, which takes them seconds. */
    private static void serve(Run run, Scenario scenario) {
        long start = System.nanoTime();
        try {
            scenario.run(run);
        } catch (Throwable trouble) {
            run.failed(trouble);
        }
        say(run.report((System.nanoTime() - start) / 1_000_000));
        new Thread(() -> {
            try {
                run.close();
            } catch (Exception trouble) {
                // Its broker may be gone by now.
                System.err.println(run.name + " was not closed: " + trouble);
            }
        }).start();
    }

    /** Asks whoever started this process to do something to the broker, and waits until it is done. */
    static void control(String what) throws IOException {
        say(Facts.json(Map.of("control", what)));
        String done = CONTROL.readLine();
        if (!"done".equals(done)) {
            throw new IOException("control " + what + " was answered with " + done);
        }
    }

    private static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }
}
