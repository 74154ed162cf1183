package liftmq.compat;

/** One program: it drives a broker through {@link Run}, and says there what it saw and what it expected. */
@FunctionalInterface
interface Scenario {
    void run(Run run) throws Exception;
}
