// The interface that functions are written against, as AWS documents it:
// https://docs.aws.amazon.com/lambda/latest/dg/java-handler.html
package com.amazonaws.services.lambda.runtime;

import java.util.Map;

public interface ClientContext {
    Client getClient();

    Map<String, String> getCustom();

    Map<String, String> getEnvironment();
}
