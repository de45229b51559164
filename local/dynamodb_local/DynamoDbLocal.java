import com.amazonaws.services.dynamodbv2.local.main.ServerRunner;
import com.amazonaws.services.dynamodbv2.local.server.DynamoDBProxyServer;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;

/** Amazon's server, but on 127.0.0.1 instead of everywhere, on a port that is free, and not for longer than wanted. */
class DynamoDbLocal {
    public static void main(String[] args) throws Exception {
        // The port is only a placeholder: the connector below asks the system for one.
        String[] options = {"-inMemory", "-sharedDb", "-disableTelemetry", "-port", "8000"};
        DynamoDBProxyServer proxy = ServerRunner.createServerFromCommandLineArgs(options);
        // It has no option for the address, so its web server is told before it starts.
        var field = DynamoDBProxyServer.class.getDeclaredField("server");
        field.setAccessible(true);
        var connector = (ServerConnector) ((Server) field.get(proxy)).getConnectors()[0];
        connector.setHost("127.0.0.1");
        connector.setPort(0);
        proxy.start();
        System.out.println("listening on " + connector.getLocalPort());
        // Nobody reads standard output from here on.
        System.setOut(System.err);
        // Whoever started it holds the other end of standard input: it closes when they end, however they end.
        while (System.in.read() != -1) { }
        System.exit(0);
    }
}
