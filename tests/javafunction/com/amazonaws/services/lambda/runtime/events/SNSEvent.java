// The shape of aws-lambda-java-events, whose jar is in no registry that tests reach.
package com.amazonaws.services.lambda.runtime.events;

import java.util.List;
import org.joda.time.DateTime;

public class SNSEvent {
    private List<SNSRecord> records;

    public List<SNSRecord> getRecords() {
        return records;
    }

    public void setRecords(List<SNSRecord> records) {
        this.records = records;
    }

    public static class SNSRecord {
        private SNS sns;
        private String eventSource;

        public SNS getSNS() {
            return sns;
        }

        public void setSns(SNS sns) {
            this.sns = sns;
        }

        public String getEventSource() {
            return eventSource;
        }

        public void setEventSource(String source) {
            eventSource = source;
        }
    }

    public static class SNS {
        private String message;
        private DateTime timestamp;

        public String getMessage() {
            return message;
        }

        public void setMessage(String message) {
            this.message = message;
        }

        public DateTime getTimestamp() {
            return timestamp;
        }

        public void setTimestamp(DateTime timestamp) {
            this.timestamp = timestamp;
        }
    }
}
