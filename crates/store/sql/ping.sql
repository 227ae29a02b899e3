SELECT 'true'
