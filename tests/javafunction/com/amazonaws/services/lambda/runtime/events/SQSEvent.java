// The shape of aws-lambda-java-events, whose jar is in no registry that tests reach.
package com.amazonaws.services.lambda.runtime.events;

import java.util.List;
import java.util.Map;

public class SQSEvent {
    private List<SQSMessage> records;

    public List<SQSMessage> getRecords() {
        return records;
    }

    public void setRecords(List<SQSMessage> records) {
        this.records = records;
    }

    public static class SQSMessage {
        private String body;
        private String eventSourceArn;
        private Map<String, MessageAttribute> messageAttributes;

        public String getBody() {
            return body;
        }

        public void setBody(String body) {
            this.body = body;
        }

        public String getEventSourceArn() {
            return eventSourceArn;
        }

        public void setEventSourceArn(String arn) {
            eventSourceArn = arn;
        }

        public Map<String, MessageAttribute> getMessageAttributes() {
            return messageAttributes;
        }

        public void setMessageAttributes(Map<String, MessageAttribute> attributes) {
            messageAttributes = attributes;
        }
    }

    public static class MessageAttribute {
        private String stringValue;

        public String getStringValue() {
            return stringValue;
        }

        public void setStringValue(String value) {
            stringValue = value;
        }
    }
}
