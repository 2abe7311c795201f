package example;

import java.util.Map;

/** Answers an HTTP event with a greeting. */
public class Hello {
  public Map<String, Object> handle(Map<String, Object> event) {
    Object query = event.get("queryStringParameters");
    Object name = query instanceof Map<?, ?> parameters ? parameters.get("name") : null;
    String body = "{\"message\":\"Hello, " + (name == null ? "world" : name.toString().replaceAll("[\"\\\\]", "")) + "!\"}";
    return Map.of("statusCode", 200, "headers", Map.of("content-type", "application/json"), "body", body);
  }
}
