with

customers as (

  select * from {{ ref('customers') }}

),

-- Every order is in it, in a table of its own: the lake holds years of small files.
seen as (

  select distinct customer_id from {{ ref('fct_orders') }}

),

final as (

  select

    ---------- ids
    customer_id,

    ---------- attributes
    {{ is_guest('customer_id') }} as is_guest,
    customers.signup_date,
    customers.signup_channel,
    customers.customer_status,
    customers.gender,
    customers.age,
    customers.loyalty_tier,
    customers.initial_loyalty_tier,
    customers.email_verified,
    customers.marketing_opt_in,
    customers.clv_bucket

  from customers
  full outer join seen using (customer_id)

)

select * from final
