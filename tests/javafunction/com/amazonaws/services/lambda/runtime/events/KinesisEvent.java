// The shape of aws-lambda-java-events, whose jar is in no registry that tests reach.
package com.amazonaws.services.lambda.runtime.events;

import java.nio.ByteBuffer;
import java.util.Date;
import java.util.List;

public class KinesisEvent {
    private List<KinesisEventRecord> records;

    public List<KinesisEventRecord> getRecords() {
        return records;
    }

    public void setRecords(List<KinesisEventRecord> records) {
        this.records = records;
    }

    public static class KinesisEventRecord {
        private Record kinesis;

        public Record getKinesis() {
            return kinesis;
        }

        public void setKinesis(Record kinesis) {
            this.kinesis = kinesis;
        }
    }

    public static class Record {
        private ByteBuffer data;
        private Date approximateArrivalTimestamp;

        public ByteBuffer getData() {
            return data;
        }

        public void setData(ByteBuffer data) {
            this.data = data;
        }

        public Date getApproximateArrivalTimestamp() {
            return approximateArrivalTimestamp;
        }

        public void setApproximateArrivalTimestamp(Date at) {
            approximateArrivalTimestamp = at;
        }
    }
}
