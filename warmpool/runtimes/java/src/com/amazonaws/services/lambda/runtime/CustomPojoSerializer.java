// The interface by which a function reads and writes JSON itself, as AWS documents it:
// https://docs.aws.amazon.com/lambda/latest/dg/java-custom-serialization.html
package com.amazonaws.services.lambda.runtime;

import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.Type;

public interface CustomPojoSerializer {
    <T> T fromJson(InputStream input, Type type);

    <T> T fromJson(String input, Type type);

    <T> void toJson(T value, OutputStream output, Type type);
}
