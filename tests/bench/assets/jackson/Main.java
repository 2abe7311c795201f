import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.Map;

/** Uses Jackson and loads the classes that the bench generates, as an application does. */
public class Main {
    private static final ObjectMapper mapper = new ObjectMapper();
    private static final int sum = Generated.load();

    public static class Order {
        public String id = "1";
        public int count = 3;
    }

    public static Map<String, Object> handle(Map<String, Object> event) throws Exception {
        Order order = mapper.readValue(mapper.writeValueAsString(new Order()), Order.class);
        return Map.of("statusCode", sum > 0 && order.count == 3 ? 200 : 500, "body", "ok");
    }

    public static void main(String[] arguments) throws Exception {
        System.out.println(handle(Map.of()));
    }
}
