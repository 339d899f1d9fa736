{{ config(materialized='table', tags=['dims']) }}

{{ verdicts('customers') }}
