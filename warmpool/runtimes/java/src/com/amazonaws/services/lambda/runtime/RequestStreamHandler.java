// The interface that functions are written against, as AWS documents it:
// https://docs.aws.amazon.com/lambda/latest/dg/java-handler.html
package com.amazonaws.services.lambda.runtime;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

public interface RequestStreamHandler {
    void handleRequest(InputStream input, OutputStream output, Context context) throws IOException;
}
