-- Devices that Azure's IoT Edge runs on: they have the modules $edgeAgent and $edgeHub from the start.
ALTER TABLE identities ADD COLUMN iot_edge INTEGER NOT NULL DEFAULT 0;
