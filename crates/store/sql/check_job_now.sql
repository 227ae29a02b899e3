-- Makes the check of a running job ($1) due now ($2).
SELECT count(medzen.enqueue_operation('check_batch_job', j.name, j.session_id, '{}', $2, NULL))::text
FROM medzen.transcription_jobs j WHERE j.name = $1 AND j.status = 'running'
