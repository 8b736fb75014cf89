"""How we speak to Huawei Cloud."""
