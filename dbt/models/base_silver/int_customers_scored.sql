{{ config(materialized='table', tags=['dims']) }}

{{ verdicts('customers', bronze=source('bronze', 'customers')) }}
