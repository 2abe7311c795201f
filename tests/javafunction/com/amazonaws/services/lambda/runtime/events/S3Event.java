// The shape of aws-lambda-java-events, whose jar is in no registry that tests reach.
package com.amazonaws.services.lambda.runtime.events;

import com.amazonaws.services.lambda.runtime.events.models.s3.S3EventNotification;
import java.util.List;

public class S3Event extends S3EventNotification {
    public S3Event(List<S3EventNotificationRecord> records) {
        super(records);
    }
}
